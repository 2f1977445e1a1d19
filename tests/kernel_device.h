// A device that wants kernels, in the given stream, and does nothing else.
#pragma once
#include <memory>
#include <string>

#include "orepa/device.h"

namespace orepa {

class KernelDevice : public Device {
 public:
  explicit KernelDevice(void* stream = nullptr) : stream_(stream) {}
  bool is_cuda() const override { return true; }
  void* stream() const override { return stream_; }
  std::string description() const override { return "a device with kernels"; }
  Support bfloat16() const override { return Support::kNone; }
  void* allocate(int64_t) override { return nullptr; }
  void release(void*) noexcept override {}
  void zero(void*, int64_t) override {}
  void copy(void*, const void*, int64_t) override {}
  void copy_to_device(void*, const void*, int64_t, Queue) override {}
  void copy_to_host(void*, const void*, int64_t) override {}
  void send_to_host(void*, const void*, int64_t) override {}
  void synchronize() override {}
  std::unique_ptr<Event> event() override { return {}; }
  void wait(Queue, const Event&) override {}
  void* allocate_host(int64_t) override { return nullptr; }
  void release_host(void*) noexcept override {}
  void gemm(const Gemm&) override {}
  std::shared_ptr<ConvolutionPlan> convolution(const ConvolutionGeometry&) override { return {}; }
  std::shared_ptr<BatchNormPlan> batch_norm(const BatchNormGeometry&) override { return {}; }
  std::shared_ptr<PoolingPlan> pooling(const PoolingGeometry&) override { return {}; }

 private:
  void* stream_;
};

}  // namespace orepa
