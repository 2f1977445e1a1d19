#include "tests/cudaemu/memory.h"

#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <memory>
#include <vector>

#include "tests/cudaemu/settings.h"
#include "tests/cudaemu/violation.h"

namespace cudaemu {
namespace {

constexpr size_t kPage = 4096, kHugePage = 2 << 20, kAlignment = 256;
constexpr size_t kAddresses = size_t{1} << 38;  // without memory behind them: not used twice
constexpr size_t kCanary = 256;                 // bytes watched on both sides of an allocation
constexpr int kPoison = 0xff;

constexpr size_t rounded_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

struct Allocation {
  char* data;
  size_t bytes;
  char* pages;  // which hold it
  size_t page_bytes;
  int device;
  bool open = false;
};

// How many DeviceAccess the calling thread has.
constinit thread_local int accesses = 0;

// Memory is closed (PROT_NONE) while no stream works. With guard pages, an allocation is opened by
// itself, where it is first touched; else all memory is opened at once, which is one call however
// many allocations there are.
class Arena {
 public:
  Arena();
  char* allocate(size_t bytes);
  bool release(char* data);
  bool holds(const void* address) const { return address >= begin_ && address < end_; }
  // The live allocation whose pages hold the address, or null.
  Allocation* at(const void* address);
  // Whether there was something to open.
  bool open(const void* address);
  void close();
  size_t used() const { return used_; }
  std::string describe(const void* address);

 private:
  void protect_all(int protection) const;
  static void check(const Allocation& allocation);

  const bool guard_ = settings().guard;
  char *begin_, *end_, *next_;
  std::map<const void*, Allocation> allocations_;  // by their first page
  std::vector<Allocation*> opened_;                // with room for all: a signal handler adds to it
  bool all_open_ = false;                          // where there are no guard pages
  std::multimap<size_t, char*> spare_;             // pages to use again, where there are none
  size_t used_ = 0;
};

// Never destroyed: objects that outlive main() have memory.
Arena& arena() {
  static Arena& arena = *new Arena;
  return arena;
}

struct sigaction fault_handler_before;

// Somebody touches an address that is closed. Kernels and copies open it; all else is wrong.
void on_fault(int, siginfo_t* info, void*) {
  if (!arena().holds(info->si_addr)) {
    sigaction(SIGSEGV, &fault_handler_before, nullptr);  // it happens again, and is theirs
    return;
  }
  if (accesses == 0)
    violation("the host uses an address of the device, ", arena().describe(info->si_addr));
  if (!arena().open(info->si_addr))
    violation("the device uses an address that it does not have, ",
              arena().describe(info->si_addr));
}

Arena::Arena() {
  void* addresses =
      mmap(nullptr, kAddresses, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (addresses == MAP_FAILED) violation("there is no room for the addresses of the device");
  const auto begin = reinterpret_cast<size_t>(addresses);
  begin_ = static_cast<char*>(addresses) + (rounded_up(begin, kHugePage) - begin);
  end_ = static_cast<char*>(addresses) + kAddresses;
  next_ = begin_;
  madvise(begin_, static_cast<size_t>(end_ - begin_), MADV_HUGEPAGE);
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &fault_handler_before);
}

char* Arena::allocate(size_t bytes) {
  if (bytes > kDeviceBytes - used_) return nullptr;
  // With guard pages it ends where they begin, up to its alignment.
  const size_t page_bytes = rounded_up(guard_ ? bytes : bytes + kCanary, kPage);
  char* pages;
  if (const auto spare = spare_.find(page_bytes); spare != spare_.end()) {
    pages = spare->second;
    spare_.erase(spare);
  } else {
    if (page_bytes + kHugePage > static_cast<size_t>(end_ - next_))
      violation("the device has used up its addresses; CUDAEMU_GUARD=0 uses them again");
    pages = next_;
    next_ += page_bytes + (guard_ ? kPage : 0);
    if (all_open_) protect_all(PROT_READ | PROT_WRITE);
  }
  char* data = guard_ ? pages + (page_bytes - bytes) / kAlignment * kAlignment : pages;
  allocations_[pages] = {data, bytes, pages, page_bytes, current_device()};
  used_ += bytes;
  opened_.reserve(allocations_.size());
  const DeviceAccess access;
  open(pages);
  std::memset(pages, kPoison, page_bytes);
  return data;
}

bool Arena::release(char* data) {
  Allocation* allocation = at(data);
  if (allocation == nullptr || allocation->data != data) return false;
  const DeviceAccess access;
  open(data);
  check(*allocation);
  used_ -= allocation->bytes;
  if (guard_) {
    std::erase(opened_, allocation);
    mprotect(allocation->pages, allocation->page_bytes, PROT_NONE);
    madvise(allocation->pages, allocation->page_bytes, MADV_DONTNEED);
  } else {
    std::memset(allocation->pages, kPoison, allocation->page_bytes);
    spare_.emplace(allocation->page_bytes, allocation->pages);
  }
  allocations_.erase(allocation->pages);
  return true;
}

Allocation* Arena::at(const void* address) {
  const auto behind = allocations_.upper_bound(address);
  if (behind == allocations_.begin()) return nullptr;
  Allocation& allocation = std::prev(behind)->second;
  return address < allocation.pages + allocation.page_bytes ? &allocation : nullptr;
}

void Arena::protect_all(int protection) const {
  // Whole huge pages, so that they stay such.
  mprotect(begin_, rounded_up(static_cast<size_t>(next_ - begin_), kHugePage), protection);
}

bool Arena::open(const void* address) {
  if (!guard_) {
    if (all_open_ || address >= next_) return false;
    protect_all(PROT_READ | PROT_WRITE);
    all_open_ = true;
    return true;
  }
  Allocation* allocation = at(address);
  if (allocation == nullptr || allocation->open) return false;
  if (running.work != nullptr && allocation->device != running.device)
    violation("device ", running.device, " uses memory of device ", allocation->device);
  mprotect(allocation->pages, allocation->page_bytes, PROT_READ | PROT_WRITE);
  allocation->open = true;
  opened_.push_back(allocation);
  return true;
}

void Arena::close() {
  if (all_open_) {
    for (const auto& [pages, allocation] : allocations_) check(allocation);
    protect_all(PROT_NONE);
    all_open_ = false;
  }
  for (Allocation* allocation : opened_) {
    check(*allocation);
    mprotect(allocation->pages, allocation->page_bytes, PROT_NONE);
    allocation->open = false;
  }
  opened_.clear();
}

// REQUIRES: it is open.
void Arena::check(const Allocation& allocation) {
  const auto poison = [](const char* begin, const char* end) {
    return std::all_of(begin, end, [](char byte) { return byte == static_cast<char>(kPoison); });
  };
  const char *end = allocation.data + allocation.bytes,
             *last = allocation.pages + allocation.page_bytes;
  if (!poison(end, std::min(end + kCanary, last)) || !poison(std::max(end, last - kCanary), last))
    violation("the device wrote beyond the end of an allocation of ", allocation.bytes, " bytes");
  if (!poison(std::max(allocation.data - kCanary, allocation.pages), allocation.data))
    violation("the device wrote before the beginning of an allocation of ", allocation.bytes,
              " bytes");
}

std::string Arena::describe(const void* address) {
  const auto behind = allocations_.upper_bound(address);
  if (behind == allocations_.begin()) return "of memory that was freed or never allocated";
  const Allocation& allocation = std::prev(behind)->second;
  return orepa::text("byte ", static_cast<const char*>(address) - allocation.data,
                     " from the beginning of an allocation of ", allocation.bytes, " bytes");
}

// The handler's stack: where a thread is in dnnl_sgemm, its own one is no place for it.
class SignalStack {
 public:
  SignalStack() {
    const stack_t stack{.ss_sp = memory_.get(), .ss_flags = 0, .ss_size = kBytes};
    sigaltstack(&stack, &before_);
  }
  ~SignalStack() { sigaltstack(&before_, nullptr); }

 private:
  static constexpr size_t kBytes = 256 << 10;
  std::unique_ptr<char[]> memory_ = std::make_unique<char[]>(kBytes);
  stack_t before_{};
};

std::map<const char*, size_t>& pinned() {
  static auto& pinned = *new std::map<const char*, size_t>;
  return pinned;
}

}  // namespace

DeviceAccess::DeviceAccess() {
  static thread_local const SignalStack stack;
  ++accesses;
}

DeviceAccess::~DeviceAccess() {
  if (accesses == 1) arena().close();
  --accesses;
}

void open_device(MemoryRange range) { arena().open(range.data); }

size_t free_device_bytes() { return kDeviceBytes - arena().used(); }

void* allocate_device(size_t bytes) { return arena().allocate(bytes); }

bool release_device(void* data) { return arena().release(static_cast<char*>(data)); }

bool is_device_address(const void* data) { return arena().holds(data); }

void require_device(MemoryRange range, const char* what) {
  const auto* data = static_cast<const char*>(range.data);
  const Allocation* allocation = arena().holds(data) ? arena().at(data) : nullptr;
  if (allocation == nullptr || data < allocation->data ||
      data > allocation->data + allocation->bytes ||
      range.bytes > static_cast<size_t>(allocation->data + allocation->bytes - data))
    violation(what, ": ", range.bytes, " bytes at ", range.data,
              " are not inside one allocation of the device");
}

void* allocate_pinned(size_t bytes) {
  auto* data = static_cast<char*>(std::aligned_alloc(kPage, rounded_up(bytes, kPage)));
  if (data == nullptr) return nullptr;
  std::memset(data, kPoison, bytes);
  pinned()[data] = bytes;
  return data;
}

bool release_pinned(void* data) {
  if (pinned().erase(static_cast<char*>(data)) == 0) return false;
  std::free(data);
  return true;
}

bool is_pinned(MemoryRange range) {
  const auto* data = static_cast<const char*>(range.data);
  const auto behind = pinned().upper_bound(data);
  if (behind == pinned().begin()) return false;
  const auto& [begin, bytes] = *std::prev(behind);
  return data <= begin + bytes && range.bytes <= static_cast<size_t>(begin + bytes - data);
}

}  // namespace cudaemu
