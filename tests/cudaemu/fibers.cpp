#include "tests/cudaemu/fibers.h"

#include <sys/mman.h>

#include "tests/cudaemu/races.h"
#include "tests/cudaemu/violation.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

// Saves the registers that a function must keep, and the stack pointer; loads the other's.
extern "C" void cudaemu_switch_stack(void** save, void* load);
asm(R"(
.text
.globl cudaemu_switch_stack
.type cudaemu_switch_stack,@function
cudaemu_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size cudaemu_switch_stack, .-cudaemu_switch_stack
)");

namespace cudaemu {
namespace {

constexpr size_t kPage = 4096, kStackBytes = 256 << 10;
constexpr int kSavedRegisters = 6;

constinit thread_local Fiber *left = nullptr, *entered = nullptr;  // of the last switch

}  // namespace

Fiber::Fiber(void (*run)(void*), void* argument)
    : run_(run), argument_(argument), stack_bytes_(kStackBytes) {
  void* mapping = mmap(nullptr, kPage + kStackBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) violation("there is no room for the stack of a thread");
  mapping_ = static_cast<char*>(mapping);
  mprotect(mapping_, kPage, PROT_NONE);  // who overflows the stack meets it
  stack_ = mapping_ + kPage;
  // Stacks that begin at different offsets in their pages don't share a set of the cache.
  static thread_local size_t number = 0;
  const size_t offset = number++ % 61 * 320;
  void** top = reinterpret_cast<void**>(mapping_ + kPage + kStackBytes - offset);
  *--top = nullptr;  // who called start()
  *--top = reinterpret_cast<void*>(&Fiber::start);
  for (int i = 0; i < kSavedRegisters; ++i) *--top = nullptr;
  stack_pointer_ = top;
  if constexpr (kFindsRaces) thread_ = __tsan_create_fiber(0);
}

Fiber::~Fiber() {
  if (mapping_ == nullptr) return;
  if constexpr (kFindsRaces) __tsan_destroy_fiber(thread_);
  munmap(mapping_, kPage + kStackBytes);
}

void Fiber::start() {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(nullptr, &left->stack_, &left->stack_bytes_);
#endif
  entered->run_(entered->argument_);
}

void switch_fiber(Fiber& from, Fiber& to) {
  left = &from;
  entered = &to;
  if constexpr (kFindsRaces) {
    from.thread_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to.thread_, __tsan_switch_to_fiber_no_sync);
  }
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(&from.fake_stack_, to.stack_, to.stack_bytes_);
#endif
  cudaemu_switch_stack(&from.stack_pointer_, to.stack_pointer_);
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(from.fake_stack_, &left->stack_, &left->stack_bytes_);
#endif
}

// In the name of each, one after another. What was released for the first one before, it has
// acquired then, so that nothing else comes with it.
void order_fibers(const std::vector<Fiber*>& fibers) {
  if constexpr (kFindsRaces) {
    void* const current = __tsan_get_current_fiber();
    for (const auto order : {__tsan_release, __tsan_acquire})
      for (const Fiber* fiber : fibers) {
        __tsan_switch_to_fiber(fiber->thread_, __tsan_switch_to_fiber_no_sync);
        order(fibers.front());
      }
    __tsan_switch_to_fiber(current, __tsan_switch_to_fiber_no_sync);
  }
}

}  // namespace cudaemu
