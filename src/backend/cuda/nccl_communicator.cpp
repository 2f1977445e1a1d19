// Sums go over a stream of their own, beside the device's computation: each waits for what was
// issued before it, and what is issued behind finish_sums() waits for all of them.
//
// A sum that a rank does not come to would never end, and neither would whoever waits for the
// device. So a thread watches: it aborts the sums once a rank has failed, or once they have taken
// longer than the timeout; then the device goes on, and the next call throws.
#include "backend/cuda/nccl_communicator.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>

#include "backend/cuda/nccl_library.h"
#include "backend/cuda/stream.h"

namespace orepa::cuda {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kPause = 100us;      // between two looks at a call of NCCL
constexpr auto kWatchPause = 50ms;  // between two looks at the device

ncclDataType_t nccl_type(Communicator::Numbers::Type type) {
  using Type = Communicator::Numbers::Type;
  return type == Type::kFloat64 ? ncclFloat64 : type == Type::kFloat32 ? ncclFloat32 : ncclBfloat16;
}

class NcclCommunicator : public Communicator {
 public:
  NcclCommunicator(std::shared_ptr<Communicator> host, Device& device)
      : host_(std::move(host)), device_(current(device)) {
    require_success(cudaEventCreateWithFlags(&order_, cudaEventDisableTiming),
                    "a CUDA event cannot be made");
    try {
      connect();
    } catch (const Error&) {
      abort();
      cudaEventDestroy(order_);
      throw;
    }
    watch_ = std::thread([this] { watch(); });
  }

  ~NcclCommunicator() override {
    current(device_);
    wait_for_all();
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    watch_.join();
    abort();
    cudaEventDestroy(order_);
  }

  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }
  int local_rank() const override { return host_->local_rank(); }
  int local_size() const override { return host_->local_size(); }

  void start_sum(const Numbers& numbers) override {
    if (numbers.count == 0) return;
    device_.make_current();
    if (!open_) {
      open_ = true;
      ++begun_;
    }
    host_->count_begun();
    put_behind(stream_.get(), compute());
    call("a sum over all ranks", [&] {
      return nccl_.all_reduce(numbers.data, numbers.data, static_cast<size_t>(numbers.count),
                              nccl_type(numbers.type), ncclSum, joined_, stream_.get());
    });
    bytes_ += numbers.count * numbers.bytes_each();
  }

  void finish_sums() override {
    device_.make_current();
    require_well();
    if (!open_) return;
    open_ = false;
    const auto count = [](void* done) { ++*static_cast<std::atomic<int64_t>*>(done); };
    require_success(cudaLaunchHostFunc(stream_.get(), count, &done_),
                    "the end of sums cannot be told");
    put_behind(compute(), stream_.get());
  }

  void maximum(int64_t* values, int64_t count) override { host_->maximum(values, count); }
  using Communicator::broadcast;
  void broadcast(void* bytes, int64_t count) override { host_->broadcast(bytes, count); }
  std::vector<std::string> gather(const std::string& bytes) override {
    return host_->gather(bytes);
  }

  void fail(const std::string& reason) noexcept override {
    host_->fail(reason);
    abort();
  }
  std::string failure() const override { return host_->failure(); }
  void count_begun() override { host_->count_begun(); }
  void find_missing() override { host_->find_missing(); }
  double timeout() const override { return host_->timeout(); }
  int64_t bytes_summed() const override { return bytes_; }

 private:
  static Device& current(Device& device) {
    device.make_current();
    return device;
  }
  cudaStream_t compute() const { return static_cast<cudaStream_t>(device_.stream()); }

  // What is issued to `later` from now on starts when all that `earlier` has is done.
  void put_behind(cudaStream_t later, cudaStream_t earlier) const {
    require_success(cudaEventRecord(order_, earlier), "a CUDA event cannot be recorded");
    require_success(cudaStreamWaitEvent(later, order_, 0),
                    "a CUDA stream cannot wait for an event");
  }

  void connect() {
    // Rings and trees add up in an order that depends on the machines alone.
    setenv("NCCL_ALGO", "Ring,Tree", 0);
    ncclUniqueId id{};
    std::string reason;
    if (rank() == 0 && nccl_.unique_id(&id) != ncclSuccess)
      reason = text("NCCL cannot start: ", nccl_.last_error(nullptr));
    reason = host_->broadcast(reason);
    require(reason.empty(), reason);
    host_->broadcast(&id, sizeof id);
    host_->count_begun();
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;  // a call that waits for others can be given up
    call("NCCL cannot connect the ranks, each of which needs a GPU of its own (--gpu all)",
         [&] { return nccl_.join(&joined_, size(), id, rank(), &config); });
  }

  void require_well() const {
    const std::string failure = host_->failure();
    require(failure.empty(), failure);
  }

  // Makes a call of NCCL, and waits until it has gone through.
  template <class Call>
  void call(const char* what, Call call) {
    const Clock::time_point start = Clock::now();
    ncclResult_t result = ncclInProgress;
    for (bool called = false; result == ncclInProgress; called = true) {
      require_well();
      {
        const std::lock_guard lock(mutex_);
        if (aborted_) require_well();
        if (!called)
          result = call();
        else
          nccl_.state(joined_, &result);
      }
      if (result == ncclInProgress) {
        if (Clock::now() - start > std::chrono::duration<double>(timeout())) host_->find_missing();
        std::this_thread::sleep_for(kPause);
      }
    }
    if (result == ncclSuccess) return;
    const std::lock_guard lock(mutex_);
    if (aborted_) require_well();
    orepa::fail(what, ": ", nccl_.error_string(result), ": ", nccl_.last_error(joined_));
  }

  void watch() try {
    device_.make_current();
    Clock::time_point since = Clock::now();
    int64_t done = 0;
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, kWatchPause, [&] { return ending_; })) {
      std::string problem;
      if (!aborted_) problem = asynchronous_error();
      lock.unlock();
      if (!problem.empty()) host_->fail(problem);
      const bool idle = done_ == begun_ || done_ != done;
      done = done_;
      if (idle) since = Clock::now();
      if (Clock::now() - since > std::chrono::duration<double>(timeout())) host_->find_missing();
      if (!host_->failure().empty()) return abort();
      lock.lock();
    }
  } catch (const Error& error) {
    host_->fail(error.what());
  }

  // REQUIRES: the lock.
  std::string asynchronous_error() const {
    ncclResult_t result = ncclSuccess;
    nccl_.state(joined_, &result);
    if (result == ncclSuccess || result == ncclInProgress) return "";
    return text("NCCL: ", nccl_.error_string(result), ": ", nccl_.last_error(joined_));
  }

  // The device goes on with whatever the sums have come to.
  void abort() noexcept {
    const std::lock_guard lock(mutex_);
    if (aborted_ || joined_ == nullptr) return;
    aborted_ = true;
    nccl_.abort(joined_);
  }

  // None may take the connection down while another one still adds up: where all went well, all
  // come here.
  void wait_for_all() noexcept {
    try {
      stream_.synchronize();
      int64_t none = 0;
      if (std::uncaught_exceptions() == 0 && host_->failure().empty()) host_->maximum(&none, 1);
    } catch (const Error&) {
      // Who is missing is said where it matters.
    }
  }

  const Nccl& nccl_ = load_nccl();
  const std::shared_ptr<Communicator> host_;
  Device& device_;
  const Stream stream_;
  cudaEvent_t order_ = nullptr;
  bool open_ = false;                          // whether sums were started that nobody waits for
  std::atomic<int64_t> begun_ = 0, done_ = 0;  // groups of them that finish_sums() ends
  int64_t bytes_ = 0;

  std::mutex mutex_;  // of NCCL's calls, and of what follows
  std::condition_variable changed_;
  ncclComm_t joined_ = nullptr;
  bool aborted_ = false, ending_ = false;
  std::thread watch_;
};

}  // namespace

std::shared_ptr<Communicator> make_nccl_communicator(std::shared_ptr<Communicator> ranks,
                                                     Device& device) {
  return std::make_shared<NcclCommunicator>(std::move(ranks), device);
}

std::string nccl_version() {
  int version = 0;
  require(load_nccl().version(&version) == ncclSuccess, "NCCL does not tell its version");
  return text("NCCL ", version / 10000, ".", version / 100 % 100, ".", version % 100);
}

}  // namespace orepa::cuda
