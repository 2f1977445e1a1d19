#include "data/prefetcher.h"

#include <algorithm>
#include <utility>

#include "orepa/error.h"

namespace orepa {

// Where rows are quick to fill, threads would spend their time with asking for the next one.
constexpr int64_t kPartsOfBatch = 16;

Prefetcher::Prefetcher(Device& device, const PrefetchOptions& options, Fill fill, Next next)
    : options_(options),
      fill_(std::move(fill)),
      next_(std::move(next)),
      rows_at_once_(std::max<int64_t>(1, options.rows / kPartsOfBatch)),
      slots_(static_cast<size_t>(std::max(2, options.depth))) {
  for (Slot& slot : slots_) {
    slot.memory = HostMemory(device, options.bytes);
    slot.read = device.event();
  }
}

Prefetcher::~Prefetcher() {
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  try {  // nobody may take memory away that the device still reads
    for (Slot* slot : in_use_) wait_until_read(*slot);
  } catch (const Error&) {
    // A device that has failed reads no more.
  }
}

void Prefetcher::wait_until_read(Slot& slot) {
  if (!slot.read->done()) slot.read->wait();
}

void Prefetcher::start_threads() {
  for (int t = 0; t < options_.threads; ++t) threads_.emplace_back([this, t] { work(t); });
}

const char* Prefetcher::take(int64_t index) {
  if (threads_.empty()) start_threads();
  std::unique_lock lock(mutex_);
  if (ahead_.empty() || ahead_.front()->index != index) restart(lock, index);
  reuse_free_slots();
  Slot* slot = ahead_.front();
  full_.wait(lock, [&] { return slot->done == options_.rows || slot->failure; });
  if (slot->failure) {
    const std::exception_ptr failure = slot->failure;
    restart(lock, index);  // what was made so far is of no use
    std::rethrow_exception(failure);
  }
  ahead_.pop_front();
  taken_ = slot;
  return data(*slot);
}

void Prefetcher::sent() {
  taken_->read->record();
  const std::lock_guard lock(mutex_);
  in_use_.push_back(std::exchange(taken_, nullptr));
}

// Forgets the batches ahead, and begins with another one.
void Prefetcher::restart(std::unique_lock<std::mutex>& lock, int64_t index) {
  for (Slot* slot : ahead_) slot->begun = options_.rows;  // nobody begins any more
  full_.wait(lock, [&] { return busy_ == 0; });
  if (taken_ != nullptr) in_use_.push_back(std::exchange(taken_, nullptr));
  for (Slot* slot : in_use_) wait_until_read(*slot);
  in_use_.clear();
  ahead_.clear();
  next_index_ = index;
  for (Slot& slot : slots_) in_use_.push_back(&slot);
}

// Whatever the device has read is filled anew; where nothing is ahead, it is waited for.
void Prefetcher::reuse_free_slots() {
  while (!in_use_.empty() && (ahead_.empty() || in_use_.front()->read->done())) {
    Slot* slot = in_use_.front();
    wait_until_read(*slot);
    in_use_.pop_front();
    slot->index = next_index_;
    slot->begun = slot->done = 0;
    slot->failure = nullptr;
    next_index_ = next_(next_index_);
    ahead_.push_back(slot);
  }
  work_.notify_all();
}

Prefetcher::Slot* Prefetcher::unfinished() {
  for (Slot* slot : ahead_)
    if (slot->begun < options_.rows) return slot;
  return nullptr;
}

void Prefetcher::work(int thread) {
  std::unique_lock lock(mutex_);
  while (true) {
    Slot* slot = nullptr;
    work_.wait(lock, [&] { return end_ || (slot = unfinished()) != nullptr; });
    if (end_) return;
    const int64_t begin = slot->begun;
    const int64_t end = std::min(options_.rows, begin + rows_at_once_);
    const int64_t index = slot->index;
    slot->begun = end;
    ++busy_;
    lock.unlock();
    std::exception_ptr failure;
    try {
      for (int64_t row = begin; row < end; ++row) fill_(thread, index, row, data(*slot));
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    --busy_;
    slot->done += end - begin;
    if (failure) slot->failure = failure;
    full_.notify_all();
  }
}

}  // namespace orepa
