#include "waiting.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace orepa::tool {
namespace {

// About twice what it costs to sleep and to be woken.
constexpr std::chrono::duration<double> kPatience = std::chrono::microseconds(50);

// As libgomp's loop does: the instruction takes 3 to 160 cycles, which is why its number is no
// time.
void spin() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  asm volatile("" ::: "memory");
#endif
}

// The fastest of some runs: others may have been interrupted.
std::chrono::duration<double> time_of_spin() {
  constexpr int kRuns = 10, kSpins = 200;
  auto fastest = std::chrono::steady_clock::duration::max();
  for (int run = 0; run < kRuns; ++run) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kSpins; ++i) spin();
    fastest = std::min(fastest, std::chrono::steady_clock::now() - start);
  }
  return std::chrono::duration<double>(fastest) / kSpins;
}

// Not where another program was started and runs this one, as valgrind and ld.so do: it would be
// left behind, or be what starts anew. The kernel keeps 15 bytes of a program's name.
bool was_started_itself(const char* path) {
  char started[16] = {};
  return prctl(PR_GET_NAME, started) == 0 &&
         std::filesystem::path(path).filename().string().substr(0, 15) == started;
}

}  // namespace

void shorten_waiting(char** arguments) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  if (!was_started_itself(arguments[0])) return;
  // Its own path rather than the link's, which would become the program's name in ps.
  std::error_code error;
  const std::string program = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string spins = std::to_string(static_cast<int64_t>(kPatience / time_of_spin()));
  if (!error && setenv("GOMP_SPINCOUNT", spins.c_str(), 0) == 0) execv(program.c_str(), arguments);
}

}  // namespace orepa::tool
