#include "tests/late_device.h"

#include <cstring>
#include <deque>
#include <vector>

#include "orepa/error.h"

namespace orepa {
namespace {

class LateDevice : public Device {
 public:
  explicit LateDevice(std::unique_ptr<Device> inner) : inner_(std::move(inner)) {}

  bool is_cuda() const override { return inner_->is_cuda(); }
  void* stream() const override { return inner_->stream(); }
  void make_current() const override { inner_->make_current(); }
  std::string description() const override { return inner_->description(); }
  Support bfloat16() const override { return inner_->bfloat16(); }
  void* allocate(int64_t bytes) override { return inner_->allocate(bytes); }
  void release(void* memory) noexcept override { inner_->release(memory); }
  void zero(void* memory, int64_t bytes) override { inner_->zero(memory, bytes); }
  void copy(void* to, const void* from, int64_t bytes) override { inner_->copy(to, from, bytes); }
  void gemm(const Gemm& gemm) override { inner_->gemm(gemm); }
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
    open_.push_back({Direction::kToDevice, const_cast<void*>(host), copy_of(host, bytes)});
    ++issued_;
  }
  void copy_to_host(void* host, const void* device, int64_t bytes) override {
    count_wait();
    finish(issued_);
    inner_->copy_to_host(host, device, bytes);
  }
  void send_to_host(void* host, const void* device, int64_t bytes) override {
    std::vector<char> values(static_cast<size_t>(bytes));
    inner_->copy_to_host(values.data(), device, bytes);
    open_.push_back({Direction::kToHost, host, std::move(values)});
    ++issued_;
  }
  void synchronize() override {
    count_wait();
    finish(issued_);
  }
  std::unique_ptr<Event> event() override { return std::make_unique<LateEvent>(*this); }
  void wait(Queue, const Event&) override {}  // the order of issue is that of work

 private:
  enum class Direction { kToDevice, kToHost };
  struct Copy {
    Direction direction;
    void* host;
    std::vector<char> values;
  };
  static std::vector<char> copy_of(const void* host, int64_t bytes) {
    const char* begin = static_cast<const char*>(host);
    return {begin, begin + bytes};
  }

  class LateEvent : public Event {
   public:
    explicit LateEvent(LateDevice& device) : device_(device) {}
    void record(Queue) override { mark_ = device_.issued_; }
    bool done() const override { return mark_ <= device_.finished_; }
    void wait() override {
      device_.count_wait();
      device_.finish(mark_);
    }

   private:
    LateDevice& device_;
    int64_t mark_ = 0;  // copies issued before
  };

  // Does the copies up to that number.
  void finish(int64_t number) {
    for (; finished_ < number; ++finished_) {
      const Copy copy = std::move(open_.front());
      open_.pop_front();
      if (copy.values.empty()) continue;
      if (copy.direction == Direction::kToHost)
        std::memcpy(copy.host, copy.values.data(), copy.values.size());
      else
        require(std::memcmp(copy.host, copy.values.data(), copy.values.size()) == 0,
                "host memory was changed before the device had read it");
    }
  }

  std::unique_ptr<Device> inner_;
  std::deque<Copy> open_;
  int64_t issued_ = 0, finished_ = 0;  // copies
};

}  // namespace

std::unique_ptr<Device> make_late_device(std::unique_ptr<Device> inner) {
  return std::make_unique<LateDevice>(std::move(inner));
}

}  // namespace orepa
