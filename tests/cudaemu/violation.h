// How the emulation tells of what a device would not forgive: a message and an abort, so that no
// test can go on with the result.
#pragma once
#include <string>

#include "orepa/error.h"

namespace cudaemu {

// What the calling thread does for a stream at the moment; part of every message.
struct Running {
  const char* work = nullptr;  // its name, null where host code runs
  int device = 0;              // the stream's
  bool kernel = false;         // whether threadIdx and blockIdx are those of a thread that runs
};
extern constinit thread_local Running running;

[[noreturn]] void report_violation(const std::string& message);

template <class... Parts>
[[noreturn]] void violation(const Parts&... parts) {
  report_violation(orepa::text(parts...));
}

}  // namespace cudaemu
