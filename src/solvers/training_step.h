// TrainingStep: the passes and the update of one iteration, issued to the device, and what became
// of those before.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor_copy.h"
#include "orepa/communicator.h"
#include "orepa/net.h"
#include "orepa/update_rule.h"
#include "solvers/averages.h"
#include "solvers/gradient_sums.h"
#include "solvers/history.h"
#include "solvers/settings.h"
#include "solvers/step_totals.h"

namespace orepa {

class TrainingStep {
 public:
  using Feed = std::function<void(Net&, int64_t pass)>;

  // All of these must outlive it; `parameters` must have their memory. `ranks`: who else has a part
  // of every batch; null where nobody has.
  TrainingStep(const SolverSettings& settings, Net& net, Parameters& parameters, Feed feed,
               Communicator* ranks = nullptr);

  // Has other images from now on. REQUIRES: no iteration is pending.
  void use(Net& net);

  // The next iterations tell this of all that their passes and updates make; empty: nothing.
  void watch(Net::Watch watch) { watch_ = std::move(watch); }

  // Issues an iteration. Returns false where `stop`, which is asked between its passes, wants it
  // abandoned: then everything is as before.
  bool run(int64_t iteration, double rate, const std::function<bool()>& stop);

  struct Result {
    int64_t iteration = 0;
    double loss = 0;
    // What is not finite, where something is; then neither this step nor those after it updated
    // anything...
    std::string failure;
    bool updated_partly = false;  // ...but the layers behind whose factors it is
  };
  int64_t pending() const { return totals_.pending(); }  // iterations whose result is to come
  // Of the oldest of them; nothing where it is not there yet, unless `wait`.
  std::optional<Result> result(bool wait);

  int64_t bytes() const {  // of device memory
    return totals_.bytes() + history_.bytes() + scratch_.bytes() +
           (statistics_ ? statistics_->bytes() : 0) + (averages_ ? averages_->bytes() : 0) +
           (sums_ ? sums_->bytes() : 0) +
           (states_ ? states_->at(0).bytes() + states_->at(1).bytes() : 0);
  }
  History& history() { return history_; }                 // of the update rule
  Averages* averages() const { return averages_.get(); }  // null where the settings want none

 private:
  // What one iteration issues between what the host sends to the device: recorded and replayed,
  // part by part, where the settings say so. Later passes add to the gradients of the first.
  enum Part { kPrepare, kFirstPass, kLaterPass, kUpdate, kParts };
  struct RecordedPart {
    const void* arena = nullptr;  // where the net's blobs lay; null before the first time
    std::unique_ptr<Device::Recording> recording;
  };

  void copy_states();
  void load(int64_t index);
  void issue(Part part, const std::function<void()>& work);
  void update();
  std::string find_non_finite(int64_t iteration);

  const SolverSettings& settings_;
  Net* net_;
  Parameters& parameters_;
  const Feed feed_;
  Communicator* ranks_;  // null where there is one
  const std::unique_ptr<UpdateRule> rule_;
  History history_;
  DeviceMemory scratch_;                                // of the rule
  std::map<const Parameter*, int64_t> scratch_places_;  // where in it, in bytes
  StepTotals totals_;
  Net::Watch watch_;
  std::array<RecordedPart, kParts> recorded_;
  std::unique_ptr<Averages> averages_;
  std::unique_ptr<GradientSums> sums_;      // where there are several ranks
  std::unique_ptr<TensorCopy> statistics_;  // where an iteration has several passes
  // What passes hand on, as the last two iterations found it, by its number modulo 2: one may be
  // pending while another runs.
  std::optional<std::array<TensorCopy, 2>> states_;
};

}  // namespace orepa
