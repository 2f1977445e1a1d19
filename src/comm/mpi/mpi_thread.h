// MpiThread: the one thread that calls MPI. It works off collective operations in the order in
// which they were given, and meanwhile knows whom it waits for: it answers the others' questions,
// asks them where an operation takes too long, and tells them where this rank leaves.
#pragma once
#define OMPI_SKIP_MPICXX  // the old interface for C++, whose header has warnings
#include <mpi.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace orepa::comm {

class MpiThread {
 public:
  static constexpr char kName[] = "orepa-mpi";  // for who looks at the process's threads

  // Starts MPI. Throws Error where that fails.
  explicit MpiThread(double timeout);
  // Ends MPI where all went well; then all ranks must come here.
  ~MpiThread();

  int rank() const { return rank_; }
  int size() const { return size_; }
  int local_rank() const { return local_rank_; }
  int local_size() const { return local_size_; }

  // Starts an operation of MPI over these ranks, whose request it returns.
  using Operation = std::function<void(MPI_Comm ranks, MPI_Request* request)>;
  // It goes on by itself; what it reads and writes must live until finish().
  void start(Operation operation);
  // Waits for all that were started. Throws Error where one has failed.
  void finish();
  void fail(const std::string& reason) noexcept;

  // As Communicator's.
  std::string failure() const;
  void count_begun() { ++begun_; }
  void find_missing();
  double timeout() const { return timeout_; }

 private:
  using Clock = std::chrono::steady_clock;
  enum Tag { kQuestion = 1, kAnswer, kLeaving, kFarewell };

  void run();
  void start_mpi();
  void work(const Operation& operation);
  void wait_until_left(std::unique_lock<std::mutex>& lock);
  void say(int rank, Tag tag, std::string text);
  void say_to_others(Tag tag, const std::string& text);
  void hear();
  void forget_sent();
  void ask_others(Tag tag, const std::string& text);
  void give_up();
  void leave();
  void take_leave();

  const double timeout_;
  std::atomic<int64_t> begun_ = 0;  // operations, and what is counted with them
  int rank_ = 0, size_ = 1, local_rank_ = 0, local_size_ = 1;
  MPI_Comm ranks_ = MPI_COMM_NULL, messages_ = MPI_COMM_NULL;

  // Of the thread alone.
  struct Sent {
    std::string text;
    MPI_Request request;
  };
  std::list<Sent> sent_;
  bool leaving_ = false;
  size_t farewells_ = 0;          // of others
  std::vector<int> silent_;       // ranks that do not answer
  std::vector<int64_t> answers_;  // by rank: how many it has begun; -1 before it answers

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::deque<Operation> operations_;
  int64_t given_ = 0, done_ = 0;
  bool ready_ = false, ending_ = false, missing_ = false;
  std::string failure_, reason_;  // why nothing goes on; why this rank leaves

  std::thread thread_;
};

}  // namespace orepa::comm
