// Stacks of their own for CUDA threads, so that one that waits can be left and resumed. x86-64.
#pragma once
#include <cstddef>
#include <vector>

namespace cudaemu {

class Fiber {
 public:
  Fiber() = default;                                   // the stack that calls switch_fiber() first
  Fiber(void (*run)(void* argument), void* argument);  // `run` never returns
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

 private:
  friend void switch_fiber(Fiber& from, Fiber& to);
  friend void order_fibers(const std::vector<Fiber*>& fibers);
  static void start();

  void* stack_pointer_ = nullptr;
  char* mapping_ = nullptr;  // null where the stack isn't ours
  void (*run_)(void*) = nullptr;
  void* argument_ = nullptr;
  // What AddressSanitizer wants to know.
  const void* stack_ = nullptr;
  size_t stack_bytes_ = 0;
  void* fake_stack_ = nullptr;
  void* thread_ = nullptr;  // as ThreadSanitizer sees it
};

// Goes on in `to` where it was left, or at its start; returns when somebody switches to `from`,
// which is what runs now. Fibers stay on the system's thread on which they were started.
void switch_fiber(Fiber& from, Fiber& to);

// For ThreadSanitizer: what any of them did happened before what any of them does next.
void order_fibers(const std::vector<Fiber*>& fibers);

}  // namespace cudaemu
