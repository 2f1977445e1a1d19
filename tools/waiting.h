// How OpenMP's threads wait for each other. By default libgomp's look 300,000 times (7 ms and more)
// before they sleep: where other programs use the processors, the one waited for is often not
// running, and a barrier costs it the time slice that it needs. Looking less often costs nothing
// where the processors are free and is many times faster where they are not; docs/performance.md,
// "Beside other programs", has the figures.
#pragma once

namespace orepa::tool {

// Starts the program anew with GOMP_SPINCOUNT in its environment, because libgomp reads that before
// main() begins. Returns where the environment says how to wait (GOMP_SPINCOUNT, OMP_WAIT_POLICY),
// as it does the second time, and where the program cannot be started by itself: without /proc, or
// under valgrind. `arguments` are main()'s. REQUIRES: nothing is printed or read yet, and
// listen_to_signals() comes later: which signals are ignored or blocked is what the new start gets.
void shorten_waiting(char** arguments);

}  // namespace orepa::tool
