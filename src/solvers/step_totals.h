// StepTotals: what one training step comes to, kept on the device. The loss and the size of every
// gradient decide there whether the step updates anything and what it multiplies gradients by; the
// host reads them afterwards, while the device goes on.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "core/upload.h"
#include "orepa/params.h"
#include "orepa/update_rule.h"

namespace orepa {

class StepTotals {
 public:
  // Of steps of `passes` passes, whose gradients have a norm of `clip` at most where that is
  // positive. `parameters` must have their memory, and outlive this.
  StepTotals(const Parameters& parameters, int64_t passes, double clip);

  // One step, in this order; none of these waits.
  void send_rate(const StepRate& rate);
  void begin();
  double* loss();  // where each pass adds its own
  // The sums of the squares of gradients that exist now, in double, which squares of floats do not
  // overflow: a sum is finite exactly where all numbers are.
  void add(const std::vector<const Parameter*>& parameters);
  // Makes the scale of what was added so far. A step that does not proceed is followed by none that
  // does.
  void decide();
  // Stops the step where what was added of these parameters since decide() is not finite.
  void check(const std::vector<Parameter*>& parameters);
  void send(int64_t iteration);  // the whole to the host

  const StepScale* scale() const;  // for the update rule: in device memory

  struct Step {
    int64_t iteration = 0;
    double loss = 0;  // the mean over its passes
    // The first whose gradient is not finite, those of factors last; null where all are.
    const Parameter* not_finite = nullptr;
  };
  int64_t bytes() const { return memory_.bytes() + partial_.bytes(); }  // of device memory

  // How many steps were sent and not read.
  int64_t pending() const { return static_cast<int64_t>(sent_.size()); }
  // The oldest of them. Nothing where it has not arrived yet, unless `wait`; nothing where there is
  // none.
  std::optional<Step> read(bool wait);

 private:
  struct Totals;
  struct Message {  // on its way to the host
    int64_t iteration = 0;
    HostMemory memory;
    std::unique_ptr<Event> arrived;
  };
  Totals* totals() const;
  double* squares() const;  // by place
  int64_t message_bytes() const;

  Device& device_;
  int64_t passes_;
  double clip_;
  std::vector<const Parameter*> parameters_;  // by place: learned ones first, then derived ones
  std::map<const Parameter*, int64_t> places_;
  std::vector<int64_t> partials_;  // by place: where its partial sums lie, in bytes
  int64_t learned_ = 0;
  bool started_ = false;
  DeviceMemory memory_, partial_;
  Upload rate_;
  std::deque<Message> sent_;
  std::vector<Message> free_;
};

}  // namespace orepa
