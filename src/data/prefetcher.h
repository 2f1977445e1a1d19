// Prefetcher: batches that threads fill ahead of their use, in a ring of memory that a device can
// read on its own.
//
// Which batch it is decides what is in it, so neither the number of threads nor that of batches
// ahead changes anything but the time. Threads run from the first take() on.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "orepa/device.h"

namespace orepa {

struct PrefetchOptions {
  int64_t rows = 0, bytes = 0;  // of a batch
  int depth = 4;                // batches in memory, at least 2
  int threads = 1;
};

class Prefetcher {
 public:
  // Fills a row of batch `index`; called by any thread, rows in any order. What it throws comes out
  // of take().
  using Fill = std::function<void(int thread, int64_t index, int64_t row, char* batch)>;
  // Which batch is likely to be asked for after `index`.
  using Next = std::function<int64_t(int64_t index)>;

  Prefetcher(Device& device, const PrefetchOptions& options, Fill fill, Next next);
  ~Prefetcher();
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  // The memory of batch `index`, when it is full; it stays so until the copies that were issued
  // before sent() are done. One thread. Another one than was likely costs a wait.
  const char* take(int64_t index);
  void sent();

 private:
  // A batch in the making, in use or free.
  struct Slot {
    HostMemory memory;
    std::unique_ptr<Event> read;  // by the device
    int64_t index = 0;
    int64_t begun = 0, done = 0;  // rows
    std::exception_ptr failure;
  };

  void work(int thread);
  void start_threads();
  Slot* unfinished();  // the first batch with rows that nobody has begun
  void restart(std::unique_lock<std::mutex>& lock, int64_t index);
  void reuse_free_slots();
  static void wait_until_read(Slot& slot);
  char* data(const Slot& slot) const { return static_cast<char*>(slot.memory.data()); }

  const PrefetchOptions options_;
  const Fill fill_;
  const Next next_;
  const int64_t rows_at_once_;

  std::mutex mutex_;  // of what follows; slots' events are the consumer's alone
  std::condition_variable work_, full_;
  std::vector<Slot> slots_;
  std::deque<Slot*> ahead_;   // to be taken in this order
  std::deque<Slot*> in_use_;  // the device may still read them, the oldest first
  Slot* taken_ = nullptr;
  int64_t next_index_ = -1;  // of the next slot that becomes free
  int busy_ = 0;             // threads that fill
  bool end_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace orepa
