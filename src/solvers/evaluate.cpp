#include "orepa/evaluate.h"

#include <algorithm>
#include <cmath>

namespace orepa {

Evaluator::Evaluator(const NetSpec& spec, Parameters& parameters, Arena& arena, NetOptions options)
    : name_(spec.name()) {
  options.phase = Phase::kTest;
  options.weights_change_every_pass = false;
  whole_ = std::make_unique<Net>(spec, parameters, arena, options);
  const int64_t samples = whole_->samples(), batch = whole_->batch_size();
  if (samples == 0 || samples % batch == 0) return;
  options.batch_size = samples % batch;
  options.first_sample = samples - options.batch_size;
  rest_ = std::make_unique<Net>(spec, parameters, arena, options);
}

Evaluation Evaluator::run(int64_t batches, const std::function<bool()>& stop,
                          const std::function<void(Net&, int64_t)>& feed) {
  Evaluation evaluation;
  const bool whole_set = batches == 0 && whole_->samples() > 0;
  if (whole_set) batches = whole_->samples() / whole_->batch_size();
  batches = std::max<int64_t>(batches, whole_set ? 0 : 1);
  whole_->prepare();
  for (int64_t b = 0; b < batches && evaluation.complete; ++b) {
    if (feed) feed(*whole_, b);
    whole_->forward(b);
    add(*whole_, std::max<int64_t>(whole_->batch_size(), 1), evaluation);
    evaluation.complete = !stop || !stop();
  }
  if (whole_set && rest_ && evaluation.complete) {
    rest_->prepare();
    rest_->forward(0);
    add(*rest_, rest_->batch_size(), evaluation);
  }
  for (Evaluation::Output& output : evaluation.outputs)
    for (double& value : output.values) value /= static_cast<double>(evaluation.samples);
  return evaluation;
}

int64_t Evaluator::persistent_bytes() const {
  return whole_->persistent_bytes() + (rest_ ? rest_->persistent_bytes() : 0);
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
