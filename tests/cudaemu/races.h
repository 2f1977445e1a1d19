// What ThreadSanitizer is told of CUDA's threads, where the emulation is built for it
// (CUDAEMU_RACES): each is a thread of its own, which begins behind the launch, is ordered with
// others by barriers and meetings of lanes alone, and ends before what follows the launch. Kernels
// are compiled with -fsanitize=thread then, the emulation itself without.
#pragma once
#include <sanitizer/tsan_interface.h>

extern "C" {
// Of libtsan, in no header: accesses of the calling thread are not recorded in between.
void __tsan_ignore_thread_begin();
void __tsan_ignore_thread_end();
}

namespace cudaemu {

#ifdef CUDAEMU_RACES
constexpr bool kFindsRaces = true;
#else
constexpr bool kFindsRaces = false;
#endif

// While one lives, what the calling thread does is not its kernel's: functions of the emulation
// allocate and free for all threads, and malloc is watched in any code.
class Unwatched {
 public:
  Unwatched() {
    if constexpr (kFindsRaces) __tsan_ignore_thread_begin();
  }
  ~Unwatched() {
    if constexpr (kFindsRaces) __tsan_ignore_thread_end();
  }
  Unwatched(const Unwatched&) = delete;
  Unwatched& operator=(const Unwatched&) = delete;
};

}  // namespace cudaemu
