#include "backend/cuda/cuda_device.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "backend/cuda/check.h"
#include "backend/cuda/cuda_graph.h"
#include "backend/cuda/driver.h"
#include "backend/cuda/launch_merger.h"
#include "backend/cuda/libraries.h"
#include "backend/cuda/stream.h"
#include "orepa/parallel.h"

namespace orepa::cuda {
namespace {

constexpr int kOldestMajor = 8;  // the oldest compute capability that is compiled for is 8.0

struct Zero {
  float* to;
  OREPA_HD void operator()(int64_t i) const { to[i] = 0; }
};

struct Copy {
  const float* from;
  float* to;
  OREPA_HD void operator()(int64_t i) const { to[i] = from[i]; }
};

class CudaDevice : public Device {
 public:
  CudaDevice(int index, const DeviceOptions& options) : index_(index) {
    make_current();
    require_success(cudaGetDeviceProperties(&properties_, index), "CUDA device ", index,
                    " does not tell its properties");
    require(properties_.major >= kOldestMajor, "CUDA device ", index, " (", properties_.name,
            ") has compute capability ", properties_.major, ".", properties_.minor, "; ",
            kOldestMajor, ".0 is the oldest that works: use another device, or --device cpu");
    compute_.emplace();
    copy_.emplace();
    libraries_ = load_libraries(*this, options);
  }
  ~CudaDevice() override {
    // What still runs may use memory that its owners release next.
    cudaSetDevice(index_);
    cudaStreamSynchronize(compute_->get());
    cudaStreamSynchronize(copy_->get());
    merger_.reset();
    libraries_.reset();
  }

  bool is_cuda() const override { return true; }
  void* stream() const override { return compute_->get(); }
  void make_current() const override {
    int current = -1;
    require_success(cudaGetDevice(&current), "the current CUDA device is not known");
    if (current != index_)
      require_success(cudaSetDevice(index_), "CUDA device ", index_, " cannot be used");
  }
  std::string description() const override {
    return text("cuda ", properties_.name, ", sm_", properties_.major, properties_.minor, ", ",
                load_library_versions());
  }
  Support bfloat16() const override { return Support::kFull; }

  void* allocate(int64_t bytes) override {
    make_current();
    void* memory = nullptr;
    const cudaError_t error = cudaMalloc(&memory, static_cast<size_t>(std::max<int64_t>(bytes, 1)));
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      size_t available = 0, all = 0;
      require_success(cudaMemGetInfo(&available, &all), "the CUDA device does not tell its memory");
      fail("out of memory: ", bytes >> 20, " MiB are needed, ", available >> 20, " of ", all >> 20,
           " MiB are available on ", properties_.name, "; use a smaller batch");
    }
    require_success(error, bytes >> 20, " MiB cannot be allocated on the CUDA device");
    return memory;
  }
  void release(void* memory) noexcept override {
    cudaSetDevice(index_);
    cudaFree(memory);
  }
  void zero(void* memory, int64_t bytes) override {
    if (bytes == 0) return;
    if (collecting_) return parallel_for(*this, floats(bytes), Zero{static_cast<float*>(memory)});
    if (leaves_out({memory})) return;
    count_launch();
    require_success(
        cudaMemsetAsync(memory, 0, static_cast<size_t>(bytes), of(Queue::kCompute).get()),
        "device memory cannot be zeroed");
  }
  void copy(void* to, const void* from, int64_t bytes) override {
    if (collecting_)
      return parallel_for(*this, floats(bytes),
                          Copy{static_cast<const float*>(from), static_cast<float*>(to)});
    if (leaves_out({to, from})) return;
    count_launch();
    copy(to, from, bytes, cudaMemcpyDeviceToDevice, of(Queue::kCompute));
  }
  void copy_to_device(void* device, const void* host, int64_t bytes, Queue queue) override {
    require(!is_recording(), "a step that is recorded copies from the host");
    copy(device, host, bytes, cudaMemcpyHostToDevice, of(queue));
  }
  void copy_to_host(void* host, const void* device, int64_t bytes) override {
    send_to_host(host, device, bytes);
    count_wait();
    of(Queue::kCompute).synchronize();
  }
  void send_to_host(void* host, const void* device, int64_t bytes) override {
    require(!is_recording(), "a step that is recorded copies to the host");
    copy(host, device, bytes, cudaMemcpyDeviceToHost, of(Queue::kCompute));
  }
  void synchronize() override {
    count_wait();
    of(Queue::kCopy).synchronize();
    of(Queue::kCompute).synchronize();
  }

  std::unique_ptr<Event> event() override { return std::make_unique<CudaEvent>(*this); }
  void wait(Queue queue, const Event& event) override {
    static_cast<const CudaEvent&>(event).hold_back(of(queue));
  }
  void* allocate_host(int64_t bytes) override {
    make_current();
    void* memory = nullptr;
    require_success(cudaMallocHost(&memory, static_cast<size_t>(std::max<int64_t>(bytes, 1))),
                    bytes >> 20, " MiB of pinned host memory cannot be allocated");
    return memory;
  }
  void release_host(void* memory) noexcept override {
    cudaSetDevice(index_);
    cudaFreeHost(memory);
  }

  void gemm(const Gemm& gemm) override {
    if (leaves_out({gemm.a, gemm.b, gemm.c})) return;
    if (collecting_)
      merger_->add(gemm);
    else
      libraries().gemm(gemm);
  }
  void each_independent(int64_t count, const std::function<void(int64_t)>& task) override {
    if (count < 2) return Device::each_independent(count, task);
    require(!collecting_, "each_independent() was called in a task of another one");
    if (!merger_) merger_.emplace(*this);
    merger_->begin();
    {
      const While collecting(collecting_);
      for (int64_t i = 0; i < count; ++i) {
        merger_->begin_task();
        task(i);
      }
    }
    const While merging(merging_);
    merger_->issue(libraries());
  }
  bool collect(const CollectedLoop& loop) const override {
    if (leaves_out({reinterpret_cast<const void*>(loop.launch)})) return true;
    if (collecting_) merger_->add(loop);
    return collecting_;
  }

  std::unique_ptr<Recording> record(const std::function<void()>& issue) override {
    const While recording(recording_);
    calls_ = {};
    auto graph = std::make_unique<CudaGraph>(of(Queue::kCompute).get(), issue);
    graph->calls = calls_;
    count_launch();
    graph->launch(of(Queue::kCompute).get());
    return graph;
  }
  void replay(Recording& recording, const std::function<void()>& issue) override {
    const auto& graph = static_cast<const CudaGraph&>(recording);
    calls_ = {};
    {
      const While replaying(replaying_);
      issue();
    }
    require(calls_ == graph.calls, "what is issued, ", calls_.count(), " calls, is not what was ",
            "recorded, ", graph.calls.count(), "; train without --cuda_graph, and report this");
    count_launch();
    graph.launch(of(Queue::kCompute).get());
  }
  bool is_recording() const override { return recording_ || replaying_; }
  bool leaves_out(std::initializer_list<const void*> addresses) const override {
    if (is_recording() && !merging_) calls_.add(addresses);
    return replaying_;
  }

  std::shared_ptr<ConvolutionPlan> convolution(const ConvolutionGeometry& geometry) override {
    return libraries().convolution(geometry);
  }
  std::shared_ptr<BatchNormPlan> batch_norm(const BatchNormGeometry& geometry) override {
    return libraries().batch_norm(geometry);
  }
  std::shared_ptr<PoolingPlan> pooling(const PoolingGeometry& geometry) override {
    return libraries().pooling(geometry);
  }

 private:
  class CudaEvent : public Event {
   public:
    explicit CudaEvent(CudaDevice& device) : device_(device) {
      device_.make_current();
      require_success(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming),
                      "a CUDA event cannot be made");
    }
    ~CudaEvent() override {
      cudaSetDevice(device_.index_);
      cudaEventDestroy(event_);
    }
    void record(Queue queue) override {
      require_success(cudaEventRecord(event_, device_.of(queue).get()),
                      "a CUDA event cannot be recorded");
    }
    bool done() const override {
      device_.make_current();
      const cudaError_t state = cudaEventQuery(event_);
      if (state == cudaErrorNotReady) {
        cudaGetLastError();
        return false;
      }
      require_success(state, "work on the CUDA device failed");
      return true;
    }
    void wait() override {
      device_.count_wait();
      device_.make_current();
      require_success(cudaEventSynchronize(event_), "work on the CUDA device failed");
    }
    void hold_back(const Stream& stream) const {
      require_success(cudaStreamWaitEvent(stream.get(), event_, 0),
                      "a CUDA stream cannot wait for an event");
    }

   private:
    CudaDevice& device_;
    cudaEvent_t event_ = nullptr;
  };

  // A flag that is set as long as this lives.
  class While {
   public:
    explicit While(bool& flag) : flag_(flag) { flag_ = true; }
    ~While() { flag_ = false; }
    While(const While&) = delete;
    While& operator=(const While&) = delete;

   private:
    bool& flag_;
  };

  // For calls of this thread.
  const Stream& of(Queue queue) const {
    make_current();
    return queue == Queue::kCompute ? *compute_ : *copy_;
  }
  Libraries& libraries() const {
    make_current();
    return *libraries_;
  }
  static int64_t floats(int64_t bytes) {
    constexpr int64_t kEach = sizeof(float);
    require(bytes % kEach == 0, "an independent task zeroes or copies ", bytes,
            " bytes, which are no float32 numbers");
    return bytes / kEach;
  }
  void copy(void* to, const void* from, int64_t bytes, cudaMemcpyKind kind,
            const Stream& stream) const {
    require(!collecting_, "an independent task copies from or to the host");
    if (bytes == 0) return;
    require_success(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), kind, stream.get()),
                    bytes, " bytes cannot be copied");
  }

  int index_;
  cudaDeviceProp properties_{};
  std::optional<Stream> compute_, copy_;
  std::unique_ptr<Libraries> libraries_;
  mutable std::optional<LaunchMerger> merger_;  // made when it is needed
  bool collecting_ = false;                     // whether launches go there
  bool merging_ = false;                        // whether it issues them
  bool recording_ = false, replaying_ = false;
  mutable CallSequence calls_;  // of what is recorded or replayed
};

// N of "cuda:N".
int index_of(const std::string& name) {
  constexpr std::string_view kPrefix = "cuda:";
  const std::string_view digits =
      std::string_view(name).substr(std::min(kPrefix.size(), name.size()));
  int index = -1;
  const char* end = digits.data() + digits.size();
  const bool number =
      name.starts_with(kPrefix) && std::from_chars(digits.data(), end, index).ptr == end;
  require(number && index >= 0, "unknown device \"", name,
          "\"; there are cpu, cuda:0, cuda:1, ...");
  return index;
}

}  // namespace

std::unique_ptr<Device> make_cuda_device(const std::string& name, const DeviceOptions& options) {
  const int index = index_of(name);
  const int count = count_devices(name);
  require(index < count, "there is no ", name, ": this machine has ", count,
          count == 1 ? " CUDA device" : " CUDA devices", "; use --device cpu",
          count > 0 ? ", or cuda:0" : "");
  return std::make_unique<CudaDevice>(index, options);
}

}  // namespace orepa::cuda
