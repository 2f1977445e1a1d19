// The test_device() of tests that show CUDA's plans to the CPU: their kernels are loops on the
// host, and cuDNN is the emulated one, which computes at once. With OREPA_TEST_ENGINES=none, every
// engine of cuDNN takes more memory than it may.
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "backend/cuda/plans.h"
#include "backend/pooling_loops.h"
#include "tests/cudaemu/emulation.h"
#include "tests/test_device.h"

namespace cudaemu {

void enqueue(cudaStream_t, const char*, std::vector<MemoryRange>, std::function<void()> run) {
  run();
}

}  // namespace cudaemu

namespace orepa {
namespace {

class PlansOnCpu : public Device {
 public:
  explicit PlansOnCpu(const DeviceOptions& options) : inner_(make_device("cpu", options)) {
    cudnnCreate(&handle_);
    cudnn_options_.algorithm = options.algorithm;
    const char* engines = std::getenv("OREPA_TEST_ENGINES");
    if (engines != nullptr && std::string(engines) == "none") cudnn_options_.workspace_limit = 0;
  }
  ~PlansOnCpu() override { cudnnDestroy(handle_); }

  bool is_cuda() const override { return false; }
  std::string description() const override { return "plans of CUDA on " + inner_->description(); }
  Support bfloat16() const override { return Support::kFull; }
  void* allocate(int64_t bytes) override { return inner_->allocate(bytes); }
  void release(void* memory) noexcept override { inner_->release(memory); }
  void zero(void* memory, int64_t bytes) override { inner_->zero(memory, bytes); }
  void copy(void* to, const void* from, int64_t bytes) override { inner_->copy(to, from, bytes); }
  void copy_to_device(void* device, const void* host, int64_t bytes, Queue queue) override {
    inner_->copy_to_device(device, host, bytes, queue);
  }
  void copy_to_host(void* host, const void* device, int64_t bytes) override {
    inner_->copy_to_host(host, device, bytes);
  }
  void send_to_host(void* host, const void* device, int64_t bytes) override {
    inner_->send_to_host(host, device, bytes);
  }
  void synchronize() override { inner_->synchronize(); }
  std::unique_ptr<Event> event() override { return inner_->event(); }
  void wait(Queue queue, const Event& event) override { inner_->wait(queue, event); }
  void* allocate_host(int64_t bytes) override { return inner_->allocate_host(bytes); }
  void release_host(void* memory) noexcept override { inner_->release_host(memory); }
  void gemm(const Gemm& gemm) override { inner_->gemm(gemm); }

  std::shared_ptr<ConvolutionPlan> convolution(const ConvolutionGeometry& geometry) override {
    return cuda::make_convolution({*this, handle_, cudnn_options_}, geometry);
  }
  std::shared_ptr<BatchNormPlan> batch_norm(const BatchNormGeometry& geometry) override {
    return cuda::make_batch_norm(*this, geometry);
  }
  std::shared_ptr<PoolingPlan> pooling(const PoolingGeometry& geometry) override {
    return make_pooling_loops(*this, geometry);
  }

 private:
  std::unique_ptr<Device> inner_;
  cudnnHandle_t handle_ = nullptr;
  DeviceOptions cudnn_options_;
};

}  // namespace

std::unique_ptr<Device> test_device(const DeviceOptions& options) {
  return std::make_unique<PlansOnCpu>(options);
}

}  // namespace orepa
