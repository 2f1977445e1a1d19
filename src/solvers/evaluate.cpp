#include "orepa/evaluate.h"

#include <algorithm>
#include <cmath>

namespace orepa {

namespace {

NetOptions for_testing(NetOptions options) {
  options.phase = Phase::kTest;
  options.weights_change_every_pass = false;
  return options;
}

}  // namespace

Evaluator::Evaluator(const NetSpec& spec, Parameters& parameters, Arena& arena, NetOptions options)
    : name_(spec.name()), nets_(spec, parameters, arena, for_testing(std::move(options))) {
  const int64_t samples = net().samples(), batch = net().batch_size();
  if (samples == 0 || samples % batch == 0) return;
  rest_.batch_size = samples % batch;
  rest_.first_sample = samples - rest_.batch_size;
  nets_.of(rest_);  // now, so that it is known whether it fits
}

Evaluation Evaluator::run(int64_t batches, const std::function<bool()>& stop,
                          const std::function<void(Net&, int64_t)>& feed,
                          const std::function<void(Net&, int64_t)>& observe) {
  Evaluation evaluation;
  Net& whole = net();
  const bool whole_set = batches == 0 && whole.samples() > 0;
  if (whole_set) batches = whole.samples() / whole.batch_size();
  batches = std::max<int64_t>(batches, whole_set ? 0 : 1);
  whole.prepare();
  for (int64_t b = 0; b < batches && evaluation.complete; ++b) {
    if (feed) feed(whole, b);
    whole.forward(b);
    const int64_t size = std::max<int64_t>(whole.batch_size(), 1);
    add(whole, size, evaluation);
    if (observe) observe(whole, b * size);
    evaluation.complete = !stop || !stop();
  }
  if (whole_set && rest_.batch_size > 0 && evaluation.complete) {
    Net& rest = nets_.of(rest_);
    rest.prepare();
    rest.forward(0);
    add(rest, rest.batch_size(), evaluation);
    if (observe) observe(rest, rest_.first_sample);
  }
  for (Evaluation::Output& output : evaluation.outputs)
    for (double& value : output.values) value /= static_cast<double>(evaluation.samples);
  return evaluation;
}

void Evaluator::add(Net& net, int64_t weight, Evaluation& evaluation) const {
  const bool first = evaluation.outputs.empty();
  size_t o = 0;
  for (const Net::Blob& blob : net.outputs()) {
    const std::vector<float> values = net.read(blob.name);
    for (const float value : values)
      if (!std::isfinite(value))
        fail(name_, ": output \"", blob.name, "\" of the test is ", value,
             "; the first number that is not finite: ", net.find_non_finite());
    if (first)
      evaluation.outputs.push_back(
          {blob.name, std::vector<double>(values.size(), 0.0), net.loss_weight(blob.name)});
    std::vector<double>& sums = evaluation.outputs[o++].values;
    // An output with one row a sample has fewer rows in the last batch; only the sums of whole rows
    // make sense.
    for (size_t i = 0; i < std::min(values.size(), sums.size()); ++i)
      sums[i] += static_cast<double>(weight) * values[i];
  }
  evaluation.samples += weight;
}

}  // namespace orepa
