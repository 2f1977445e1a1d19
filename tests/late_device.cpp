#include "tests/late_device.h"

#include <cstring>
#include <deque>
#include <vector>

#include "orepa/error.h"
#include "tests/forwarding_device.h"

namespace orepa {
namespace {

class LateDevice : public ForwardingDevice {
 public:
  using ForwardingDevice::ForwardingDevice;

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

  std::deque<Copy> open_;
  int64_t issued_ = 0, finished_ = 0;  // copies
};

}  // namespace

std::unique_ptr<Device> make_late_device(std::unique_ptr<Device> inner) {
  return std::make_unique<LateDevice>(std::move(inner));
}

}  // namespace orepa
