// A device that lets another one do everything, for tests that change a part of it.
#pragma once
#include <memory>
#include <string>
#include <utility>

#include "orepa/device.h"

namespace orepa {

class ForwardingDevice : public Device {
 public:
  explicit ForwardingDevice(std::unique_ptr<Device> inner) : inner_(std::move(inner)) {}

  bool is_cuda() const override { return inner_->is_cuda(); }
  void* stream() const override { return inner_->stream(); }
  void make_current() const override { inner_->make_current(); }
  std::string description() const override { return inner_->description(); }
  Support bfloat16() const override { return inner_->bfloat16(); }
  void* allocate(int64_t bytes) override { return inner_->allocate(bytes); }
  void release(void* memory) noexcept override { inner_->release(memory); }
  void zero(void* memory, int64_t bytes) override { inner_->zero(memory, bytes); }
  void copy(void* to, const void* from, int64_t bytes) override { inner_->copy(to, from, bytes); }
  void gemm(const Gemm& gemm) override {
    count_launch();  // where loops are counted: on this device, not on the inner one
    inner_->gemm(gemm);
  }
  std::shared_ptr<ConvolutionPlan> convolution(const ConvolutionGeometry& geometry) override {
    return inner_->convolution(geometry);
  }
  std::shared_ptr<BatchNormPlan> batch_norm(const BatchNormGeometry& geometry) override {
    return inner_->batch_norm(geometry);
  }
  std::shared_ptr<PoolingPlan> pooling(const PoolingGeometry& geometry) override {
    return inner_->pooling(geometry);
  }
  void* allocate_host(int64_t bytes) override { return inner_->allocate_host(bytes); }
  void release_host(void* memory) noexcept override { inner_->release_host(memory); }
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

 protected:
  const std::unique_ptr<Device> inner_;
};

}  // namespace orepa
