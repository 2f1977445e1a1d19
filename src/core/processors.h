// How many of the machine's processors this process works with: what computes and what decodes
// shares them out.
#pragma once

namespace orepa {

// Those that it may run on, or as many as it has taken.
int processors();

// For the whole process, before anything asks.
void take_processors(int count);

// What each of `processes` on this machine should take: all that it was bound to; where it was not,
// those of the machine divided by them, one at least.
int part_of_machine(int processes);

}  // namespace orepa
