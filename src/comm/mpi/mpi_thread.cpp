#include "comm/mpi/mpi_thread.h"

#include <pthread.h>

#include <algorithm>
#include <string_view>

#include "orepa/error.h"

namespace orepa::comm {
namespace {

using namespace std::chrono_literals;

constexpr auto kPause = 50us;       // between two looks at an operation
constexpr auto kIdlePause = 20ms;   // between two looks for messages
constexpr auto kPatience = 3s;      // for answers and farewells of ranks that are alive
constexpr size_t kMostText = 2000;  // of a message

void check(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  fail(what, ": ", std::string_view(text, static_cast<size_t>(length)));
}

std::string list(const std::vector<int>& ranks) {
  std::string all;
  for (const int rank : ranks) all += text(all.empty() ? "" : ", ", rank);
  return (ranks.size() == 1 ? "rank " : "ranks ") + all;
}

}  // namespace

MpiThread::MpiThread(double timeout) : timeout_(timeout), thread_([this] { run(); }) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ready_ || !failure_.empty(); });
  if (ready_) return;
  const std::string failure = failure_;
  lock.unlock();
  thread_.join();
  orepa::fail(failure);
}

MpiThread::~MpiThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void MpiThread::start(Operation operation) {
  {
    const std::lock_guard lock(mutex_);
    operations_.push_back(std::move(operation));
    ++given_;
  }
  changed_.notify_all();
}

void MpiThread::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return done_ == given_ || !failure_.empty(); });
  if (failure_.empty()) return;
  wait_until_left(lock);
  orepa::fail(failure_);
}

// From then on nobody writes to what is added up.
void MpiThread::wait_until_left(std::unique_lock<std::mutex>& lock) {
  changed_.wait_for(lock, 3 * kPatience, [&] { return !ready_; });
}

void MpiThread::fail(const std::string& reason) noexcept {
  std::unique_lock lock(mutex_);
  if (failure_.empty()) failure_ = reason_ = reason.substr(0, kMostText);
  changed_.notify_all();
  wait_until_left(lock);
}

std::string MpiThread::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void MpiThread::find_missing() {
  {
    const std::lock_guard lock(mutex_);
    missing_ = true;
  }
  changed_.notify_all();
}

void MpiThread::run() {
  pthread_setname_np(pthread_self(), kName);
  std::unique_lock lock(mutex_, std::defer_lock);
  try {
    start_mpi();
    lock.lock();
    ready_ = true;
    changed_.notify_all();
    while (failure_.empty() && !(ending_ && operations_.empty())) {
      if (operations_.empty()) changed_.wait_for(lock, kIdlePause);
      const bool missing = missing_;
      Operation operation;
      if (!operations_.empty()) {
        operation = std::move(operations_.front());
        operations_.pop_front();
        ++begun_;
      }
      lock.unlock();
      hear();
      if (operation) work(operation);
      if (missing) give_up();
      lock.lock();
      if (operation) ++done_;
      changed_.notify_all();
    }
    lock.unlock();
  } catch (const Error& error) {
    if (lock.owns_lock()) lock.unlock();
    const std::lock_guard guard(mutex_);
    if (failure_.empty()) failure_ = error.what();
  }
  changed_.notify_all();
  leave();
}

void MpiThread::start_mpi() {
  int level = 0;
  check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &level), "MPI does not start");
  require(level >= MPI_THREAD_FUNNELED, "this MPI can not be called by a thread of its own");
  check(MPI_Comm_dup(MPI_COMM_WORLD, &ranks_), "MPI_Comm_dup");
  check(MPI_Comm_dup(MPI_COMM_WORLD, &messages_), "MPI_Comm_dup");
  for (const MPI_Comm ranks : {ranks_, messages_})
    MPI_Comm_set_errhandler(ranks, MPI_ERRORS_RETURN);
  MPI_Comm_rank(ranks_, &rank_);
  MPI_Comm_size(ranks_, &size_);
  MPI_Comm local;
  check(MPI_Comm_split_type(ranks_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &local),
        "MPI_Comm_split_type");
  MPI_Comm_rank(local, &local_rank_);
  MPI_Comm_size(local, &local_size_);
  MPI_Comm_free(&local);
}

// Until it is done, or nobody can expect that any more.
void MpiThread::work(const Operation& operation) {
  MPI_Request request = MPI_REQUEST_NULL;
  operation(ranks_, &request);
  const Clock::time_point start = Clock::now();
  for (int done = 0;;) {
    check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "an operation over all ranks");
    if (done) return;
    hear();
    bool late = std::chrono::duration<double>(Clock::now() - start).count() > timeout_;
    {
      const std::lock_guard lock(mutex_);
      if (!failure_.empty()) return;
      late = late || missing_;
    }
    if (late) give_up();
    std::this_thread::sleep_for(kPause);
  }
}

void MpiThread::say(int rank, Tag tag, std::string text) {
  Sent& sent = sent_.emplace_back(Sent{std::move(text), MPI_REQUEST_NULL});
  check(MPI_Isend(sent.text.data(), static_cast<int>(sent.text.size()), MPI_CHAR, rank, tag,
                  messages_, &sent.request),
        "MPI_Isend");
}

void MpiThread::say_to_others(Tag tag, const std::string& text) {
  for (int rank = 0; rank < size_; ++rank)
    if (rank != rank_) say(rank, tag, text);
}

void MpiThread::forget_sent() {
  for (auto sent = sent_.begin(); sent != sent_.end();) {
    int done = 0;
    check(MPI_Test(&sent->request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    sent = done ? sent_.erase(sent) : std::next(sent);
  }
}

// Takes what the others say.
void MpiThread::hear() {
  for (;;) {
    int there = 0;
    MPI_Status status;
    check(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, messages_, &there, &status), "MPI_Iprobe");
    if (!there) break;
    int count = 0;
    MPI_Get_count(&status, MPI_CHAR, &count);
    std::string said(static_cast<size_t>(count), ' ');
    const int from = status.MPI_SOURCE;
    check(MPI_Recv(said.data(), count, MPI_CHAR, from, status.MPI_TAG, messages_, &status),
          "MPI_Recv");
    if (status.MPI_TAG == kQuestion) say(from, kAnswer, std::to_string(begun_));
    if (status.MPI_TAG == kAnswer && !answers_.empty())
      answers_[static_cast<size_t>(from)] = std::stoll(said);
    if (status.MPI_TAG == kFarewell) ++farewells_;
    if (status.MPI_TAG == kLeaving) {
      say(from, kAnswer, std::to_string(begun_));
      if (!leaving_) orepa::fail("rank ", from, " has left: ", said);
    }
  }
  forget_sent();
}

// Waits for answers of all ranks but the silent ones, as long as patience lasts.
void MpiThread::ask_others(Tag tag, const std::string& text) {
  answers_.assign(static_cast<size_t>(size_), -1);
  answers_[static_cast<size_t>(rank_)] = begun_;
  say_to_others(tag, text);
  for (const int rank : silent_) answers_[static_cast<size_t>(rank)] = 0;
  const Clock::time_point start = Clock::now();
  while (Clock::now() - start < kPatience && std::count(answers_.begin(), answers_.end(), -1) > 0) {
    hear();
    std::this_thread::sleep_for(kPause);
  }
}

// Says who does not take part in an operation that takes too long, to the other ranks too.
void MpiThread::give_up() {
  ask_others(kQuestion, "");
  std::vector<int> behind;
  for (int rank = 0; rank < size_; ++rank) {
    const int64_t answer = answers_[static_cast<size_t>(rank)];
    if (answer < 0) silent_.push_back(rank);
    if (answer >= 0 && answer < begun_) behind.push_back(rank);
  }
  std::string what = text("waited ", timeout_, " s for the other ranks: ");
  if (!silent_.empty())
    what += text("nothing is heard of ", list(silent_));
  else if (!behind.empty())
    what += text(list(behind), behind.size() == 1 ? " is" : " are", " late, but alive");
  else
    what += "all are alive and wait; is a link between them broken?";
  const std::lock_guard lock(mutex_);
  if (failure_.empty()) failure_ = reason_ = what;
}

// Where all went well MPI ends, which waits for the others. Else they are told why not, where it is
// for this rank to tell, and the process has to end without it.
void MpiThread::leave() {
  std::unique_lock lock(mutex_);
  const bool started = ready_, well = failure_.empty();
  const std::string reason = reason_;
  lock.unlock();
  leaving_ = true;
  try {
    if (started && well) check(MPI_Finalize(), "MPI_Finalize");
    if (!reason.empty()) ask_others(kLeaving, reason);
  } catch (const Error&) {
    // Who cannot be told finds out by the timeout.
  }
  lock.lock();
  ready_ = false;
  lock.unlock();
  changed_.notify_all();
  if (started && !well) take_leave();
}

// mpirun ends the others as soon as one process has ended: none ends before all who are alive have
// said what there is to say, which they have where they end this thread.
void MpiThread::take_leave() try {
  const auto ending = [&] {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kIdlePause, [&] { return ending_; });
  };
  do hear();
  while (!ending());
  say_to_others(kFarewell, "");
  const Clock::time_point start = Clock::now();
  const auto others = static_cast<size_t>(size_ - 1);
  while (Clock::now() - start < kPatience && farewells_ + silent_.size() < others) {
    hear();
    std::this_thread::sleep_for(kPause);
  }
} catch (const Error&) {
  // Then the others are not waited for.
}

}  // namespace orepa::comm
