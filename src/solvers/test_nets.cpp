#include "solvers/test_nets.h"

namespace orepa {

void TestNets::add(const NetSpec& spec, Parameters& parameters, Arena& arena,
                   NetOptions net_options) {
  std::optional<TestBlobs> observed;
  if (options_.observe) observed = test_blobs(spec, net_options);
  if (observed) net_options.keep = observed->names();
  nets_.push_back(
      {spec, observed,
       std::make_unique<Evaluator>(spec, parameters, arena, net_options, options_.ranks)});
}

int64_t TestNets::batches(int net) const {
  if (!settings_.test_batches.empty()) return settings_.test_batches[net];
  const Net& tested = nets_[net].evaluator->net();
  if (tested.samples() == 0) return 1;
  return (tested.samples() + tested.batch_size() - 1) / tested.batch_size();
}

int64_t TestNets::persistent_bytes() const {
  int64_t bytes = 0;
  for (const TestNet& net : nets_) bytes += net.evaluator->persistent_bytes();
  return bytes;
}

Evaluation TestNets::run(int net, int64_t batches, const std::function<bool()>& stop) {
  const TestNet& tested = nets_[net];
  if (batches == 0 && !settings_.test_batches.empty()) batches = settings_.test_batches[net];
  std::function<void(Net&, int64_t)> observe;
  if (tested.observed)
    observe = [&](Net& batch, int64_t first_sample) {
      options_.observe(net, batch, *tested.observed, first_sample);
    };
  return tested.evaluator->run(batches, stop, options_.feed, observe);
}

}  // namespace orepa
