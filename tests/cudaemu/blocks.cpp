#include "tests/cudaemu/blocks.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/cudaemu/fibers.h"
#include "tests/cudaemu/races.h"
#include "tests/cudaemu/settings.h"
#include "tests/cudaemu/shared_memory.h"
#include "tests/cudaemu/violation.h"
#include "tests/cudaemu/warp.h"

constinit thread_local uint3 threadIdx{}, blockIdx{};
constinit thread_local dim3 blockDim{}, gridDim{};

namespace cudaemu {
namespace {

// That libtsan has threads for, and some: it is to take no thread of a block for one of the next.
constexpr size_t kMostFibers = 4096;

struct Thread {
  uint3 index;
  uint32_t warp, lane;
  enum { kRuns, kAtBarrier, kAtMeeting } state = kRuns;
  Fiber* fiber = nullptr;  // on which it runs
  Place place;             // of the barrier at which it waits
};

// The block that runs, and what is kept from one to the next.
class Block {
 public:
  void run(dim3 grid, dim3 block, const Kernel& kernel);
  void barrier(const Place& place);
  uint64_t meet(const Warp::Request& request);
  SharedMemory& shared() { return shared_; }

 private:
  void shape(dim3 block);
  std::vector<uint64_t> order_of_blocks(uint64_t count);
  void run_block(uint3 index);
  void shuffle_threads();
  void run_fresh_threads();
  void enter(uint32_t thread);
  void wait();
  bool can_go_on() const { return !ready_.empty() || started_ < order_.size(); }
  void switch_to_next(Fiber& from);
  void add_fiber();
  Fiber* take_idle();
  uint32_t take_ready();
  void release_barrier();
  void leave(uint32_t thread);
  [[noreturn]] void report_deadlock() const;

  Fiber host_;  // the stack of who called run()
  std::deque<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  Fiber* fiber_ = nullptr;         // that runs
  std::thread::id system_thread_;  // which the fibers belong to

  const Kernel* kernel_ = nullptr;
  dim3 dimensions_{0, 0, 0};
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<uint32_t> order_;  // in which threads start
  size_t started_ = 0, left_ = 0, at_barrier_ = 0;
  std::deque<uint32_t> ready_;  // waited, and may go on
  uint32_t thread_ = 0;         // that runs
  std::vector<Fiber*> met_;     // whose threads a barrier or a meeting lets go on
  SharedMemory shared_;
  std::mt19937 random_;
};

// Never destroyed: objects that outlive main() may free memory, and so run what waits.
Block& block() {
  static Block& block = *new Block;
  return block;
}

void Block::shape(dim3 block) {
  if (block.x == dimensions_.x && block.y == dimensions_.y && block.z == dimensions_.z) return;
  dimensions_ = block;
  const uint32_t count = block.x * block.y * block.z;
  threads_.assign(count, {});
  for (uint32_t i = 0; i < count; ++i) {
    Thread& thread = threads_[i];
    thread.index = {i % block.x, i / block.x % block.y, i / block.x / block.y};
    thread.warp = i / kWarpSize;
    thread.lane = i % kWarpSize;
  }
  warps_.assign((count + kWarpSize - 1) / kWarpSize, {});
  order_.resize(count);
  std::iota(order_.begin(), order_.end(), 0);
  if (settings().order == Order::kDescending) std::reverse(order_.begin(), order_.end());
}

std::vector<uint64_t> Block::order_of_blocks(uint64_t count) {
  std::vector<uint64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  if (settings().order == Order::kDescending) std::reverse(order.begin(), order.end());
  if (settings().order == Order::kShuffled) std::shuffle(order.begin(), order.end(), random_);
  return order;
}

void Block::run(dim3 grid, dim3 block, const Kernel& kernel) {
  shape(block);
  if (system_thread_ != std::this_thread::get_id()) {  // fibers do not move to another one
    idle_.clear();
    fibers_.clear();
    system_thread_ = std::this_thread::get_id();
  }
  kernel_ = &kernel;
  gridDim = grid;
  blockDim = block;
  for (const uint64_t i : order_of_blocks(uint64_t{grid.x} * grid.y * grid.z))
    run_block({static_cast<unsigned>(i % grid.x), static_cast<unsigned>(i / grid.x % grid.y),
               static_cast<unsigned>(i / grid.x / grid.y)});
  if constexpr (kFindsRaces) __tsan_acquire(this);
}

void Block::run_block(uint3 index) {
  blockIdx = index;
  started_ = left_ = at_barrier_ = 0;
  shared_.start_block();
  const auto count = static_cast<uint32_t>(threads_.size());
  for (uint32_t i = 0; i < warps_.size(); ++i)
    warps_[i].start(std::min(kWarpSize, count - i * kWarpSize));
  if (settings().order == Order::kShuffled) shuffle_threads();
  if constexpr (kFindsRaces) {
    // A new fiber for every thread: its accesses and its stack are nobody else's. Made here, since
    // a fiber begins behind what its maker has done.
    while (fibers_.size() > kMostFibers) fibers_.pop_front();
    while (idle_.size() < count) add_fiber();
  }
  running.kernel = true;
  while (can_go_on()) switch_to_next(host_);
  running.kernel = false;
  if (left_ != count) report_deadlock();
  shared_.end_block();
}

// Warps, and lanes of each: the threads of a warp start one after another, so that their stacks
// stay in the cache while they meet.
void Block::shuffle_threads() {
  std::vector<uint32_t> warps(warps_.size());
  std::iota(warps.begin(), warps.end(), 0);
  std::shuffle(warps.begin(), warps.end(), random_);
  auto end = order_.begin();
  for (const uint32_t warp : warps) {
    const uint32_t first = warp * kWarpSize;
    const auto lanes = std::min<uint32_t>(kWarpSize, static_cast<uint32_t>(order_.size()) - first);
    const auto begin = std::exchange(end, end + lanes);
    std::iota(begin, end, first);
    std::shuffle(begin, end, random_);
  }
}

void Block::enter(uint32_t thread) {
  thread_ = thread;
  threadIdx = threads_[thread].index;
}

// On a fiber: threads that never wait, up to one that let others become ready.
void Block::run_fresh_threads() {
  do {
    enter(order_[started_++]);
    threads_[thread_].fiber = fiber_;
    kernel_->thread(kernel_->call.get());
    leave(thread_);
  } while (!kFindsRaces && started_ < order_.size() && ready_.empty());
}

void Block::add_fiber() {
  const auto run = [](void* block_pointer) {
    Block& block = *static_cast<Block*>(block_pointer);
    for (;;) {
      block.run_fresh_threads();
      if constexpr (!kFindsRaces) block.idle_.push_back(block.fiber_);
      switch_fiber(*block.fiber_, block.host_);
    }
  };
  fibers_.push_back(std::make_unique<Fiber>(run, this));
  idle_.push_back(fibers_.back().get());
}

Fiber* Block::take_idle() {
  if (idle_.empty()) add_fiber();
  Fiber* fiber = idle_.back();
  idle_.pop_back();
  return fiber;
}

// From what runs to a thread that has waited, to fresh ones or, where there are none, to the host.
void Block::switch_to_next(Fiber& from) {
  const bool fresh = started_ < order_.size();
  const bool fresh_first = fresh && settings().order == Order::kShuffled && (random_() & 1) != 0;
  fiber_ = &host_;
  if (!ready_.empty() && !fresh_first) {
    const uint32_t thread = take_ready();
    fiber_ = threads_[thread].fiber;
    enter(thread);
  } else if (fresh) {
    fiber_ = take_idle();
  }
  if (fiber_ != &from) switch_fiber(from, *fiber_);
}

// Leaves the thread that runs, until it's taken from those that are ready.
void Block::wait() { switch_to_next(*fiber_); }

uint32_t Block::take_ready() {
  if (settings().order == Order::kShuffled)
    std::swap(ready_.front(), ready_[random_() % ready_.size()]);
  const bool last = settings().order == Order::kDescending;
  const uint32_t thread = last ? ready_.back() : ready_.front();
  last ? ready_.pop_back() : ready_.pop_front();
  return thread;
}

void Block::leave(uint32_t thread) {
  const Unwatched unwatched;
  if constexpr (kFindsRaces) __tsan_release(this);  // to run()
  ++left_;
  warps_[threads_[thread].warp].leave(threads_[thread].lane);
  if (at_barrier_ != 0 && at_barrier_ + left_ == threads_.size()) release_barrier();
}

void Block::barrier(const Place& place) {
  Thread& thread = threads_[thread_];
  thread.state = Thread::kAtBarrier;
  thread.place = place;
  if (++at_barrier_ + left_ == threads_.size()) release_barrier();
  wait();
}

void Block::release_barrier() {
  const Thread* first = nullptr;
  met_.clear();
  for (const uint32_t i : order_) {
    Thread& thread = threads_[i];
    if (thread.state != Thread::kAtBarrier) continue;
    if (first == nullptr) first = &thread;
    if (thread.place.line() != first->place.line() ||
        thread.place.column() != first->place.column())
      violation("threads of a block wait in different calls of __syncthreads(): thread ",
                first - threads_.data(), " at line ", first->place.line(), ", thread ", i,
                " at line ", thread.place.line());
    thread.state = Thread::kRuns;
    ready_.push_back(i);
    met_.push_back(thread.fiber);
  }
  at_barrier_ = 0;
  order_fibers(met_);
}

uint64_t Block::meet(const Warp::Request& request) {
  Thread& thread = threads_[thread_];
  Warp& warp = warps_[thread.warp];
  thread.state = Thread::kAtMeeting;
  if (warp.arrive(thread.lane, request)) {
    met_.clear();
    for (uint32_t lane = 0; lane < kWarpSize; ++lane)
      if ((request.mask >> lane & 1) != 0) {
        const uint32_t other = thread.warp * kWarpSize + lane;
        threads_[other].state = Thread::kRuns;
        ready_.push_back(other);
        met_.push_back(threads_[other].fiber);
      }
    order_fibers(met_);
  }
  wait();
  return warp.answer(thread.lane);
}

void Block::report_deadlock() const {
  std::string waiting;
  for (size_t i = 0; i < threads_.size() && waiting.size() < 300; ++i) {
    const Thread& thread = threads_[i];
    if (thread.state == Thread::kAtBarrier)
      waiting +=
          orepa::text(" thread ", i, " in __syncthreads() at line ", thread.place.line(), ";");
    if (thread.state == Thread::kAtMeeting)
      waiting += orepa::text(" thread ", i, " for its warp at line ",
                             warps_[thread.warp].place(thread.lane).line(), ";");
  }
  violation("a block cannot go on: ", left_, " of ", threads_.size(), " threads have left;",
            waiting);
}

}  // namespace

void run_grid(dim3 grid, dim3 block_dimensions, const Kernel& kernel) {
  block().run(grid, block_dimensions, kernel);
}

void block_barrier(const Place& place) {
  const Unwatched unwatched;
  block().barrier(place);
}

uint64_t meet_lanes(Collective collective, unsigned mask, uint64_t value, int argument, int width,
                    const Place& place) {
  const Unwatched unwatched;
  return block().meet({collective, mask, value, argument, width, place});
}

void* shared_static(const void* key, size_t bytes, size_t align, const char* name) {
  const Unwatched unwatched;
  return block().shared().variable(key, bytes, align, name);
}

}  // namespace cudaemu
