#include "orepa/evaluate.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "core/rank_report.h"
#include "orepa/error.h"
#include "solvers/net_states.h"

namespace orepa {

namespace {

NetOptions for_testing(NetOptions options) {
  options.phase = Phase::kTest;
  options.weights_change_every_pass = false;
  options.ranks = nullptr;  // they share a test by batches, not by rows
  return options;
}

}  // namespace

Evaluator::Evaluator(const NetSpec& spec, Parameters& parameters, Arena& arena, NetOptions options,
                     Communicator* ranks)
    : name_(spec.name()),
      device_(parameters.device()),
      ranks_(ranks),
      nets_(spec, parameters, arena, for_testing(std::move(options))) {
  require(ranks_ == nullptr || !net().writes_files(), name_,
          ": an HDF5Output layer writes what one ",
          "process sees, but several share a test; run one, or leave the layer out");
  require(
      ranks_ == nullptr || net().states().empty(), name_,
      ": each batch of a test goes on from the one before (RNN or LSTM), but several processes ",
      "share it by batches; run one");
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
  const int64_t all = batches + (whole_set && rest_.batch_size > 0 ? 1 : 0);
  for (const Net::Blob& blob : whole.outputs())
    evaluation.outputs.push_back({blob.name,
                                  std::vector<double>(static_cast<size_t>(blob.shape.count())),
                                  whole.loss_weight(blob.name)});
  whole.drop_files();                // of a test that came to no end
  write_states(device_, {}, whole);  // the same weights come to the same again
  std::vector<Batch> own;
  const auto run_batch = [&](int64_t b) {
    const bool is_rest = b == batches;
    Net& net = is_rest ? nets_.of(rest_) : whole;
    const int64_t size = std::max<int64_t>(net.batch_size(), 1);
    if (is_rest) write_states(device_, read_states(device_, whole), net);
    net.prepare();
    if (feed && !is_rest) feed(net, b);
    net.forward(is_rest ? 0 : b);
    own.push_back(read(net, b, size));
    if (observe) observe(net, is_rest ? rest_.first_sample : b * size);
  };
  const int64_t ranks = ranks_ == nullptr ? 1 : ranks_->size(),
                rank = ranks_ == nullptr ? 0 : ranks_->rank();
  // As often on every rank, for all of them agree on what went wrong, and ask `stop` together.
  for (int64_t first = 0; first < all && evaluation.complete; first += ranks) {
    std::string failure;
    try {
      if (first + rank < all) run_batch(first + rank);
    } catch (const Error& error) {
      failure = error.what();
    }
    if (ranks_ != nullptr) failure = first_report(*ranks_, failure);
    if (!failure.empty()) throw TestFailure(failure);
    if (ranks_ == nullptr) {
      add(own.back(), evaluation);
      own.clear();
    }
    evaluation.complete = !stop || first + ranks >= all || !stop();
  }
  if (evaluation.complete) whole.finish_files();
  if (ranks_ != nullptr && evaluation.complete) exchange(own, evaluation);
  for (Evaluation::Output& output : evaluation.outputs)
    for (double& value : output.values) value /= static_cast<double>(evaluation.samples);
  return evaluation;
}

Evaluator::Batch Evaluator::read(Net& net, int64_t number, int64_t samples) const {
  Batch batch{number, samples, {}};
  for (const Net::Blob& blob : net.outputs()) {
    batch.outputs.push_back(net.read(blob.name));
    for (const float value : batch.outputs.back())
      if (!std::isfinite(value))
        fail(name_, ": output \"", blob.name, "\" of the test is ", value,
             "; the first number that is not finite: ", net.find_non_finite());
  }
  return batch;
}

void Evaluator::add(const Batch& batch, Evaluation& evaluation) const {
  for (size_t o = 0; o < batch.outputs.size(); ++o) {
    const std::vector<float>& values = batch.outputs[o];
    std::vector<double>& sums = evaluation.outputs[o].values;
    // An output with one row a sample has fewer rows in the last batch; only the sums of whole rows
    // make sense.
    for (size_t i = 0; i < std::min(values.size(), sums.size()); ++i)
      sums[i] += static_cast<double>(batch.samples) * values[i];
  }
  evaluation.samples += batch.samples;
}

// Rank 0 adds up the batches of all in their order, as one process does, and tells the others.
void Evaluator::exchange(const std::vector<Batch>& own, Evaluation& evaluation) const {
  std::string bytes;
  const auto write = [&](const auto* from, size_t count) {
    bytes.append(reinterpret_cast<const char*>(from), count * sizeof *from);
  };
  for (const Batch& batch : own) {
    write(&batch.number, 1);
    write(&batch.samples, 1);
    for (const std::vector<float>& values : batch.outputs) {
      const auto count = static_cast<int64_t>(values.size());
      write(&count, 1);
      write(values.data(), values.size());
    }
  }
  std::map<int64_t, Batch> batches;
  for (const std::string& gathered : ranks_->gather(bytes)) {
    const char* at = gathered.data();
    const auto take = [&](auto* to, size_t count) {
      std::memcpy(to, at, count * sizeof *to);
      at += count * sizeof *to;
    };
    while (at != gathered.data() + gathered.size()) {
      Batch batch;
      take(&batch.number, 1);
      take(&batch.samples, 1);
      batch.outputs.resize(evaluation.outputs.size());
      for (std::vector<float>& values : batch.outputs) {
        int64_t count = 0;
        take(&count, 1);
        values.resize(static_cast<size_t>(count));
        take(values.data(), values.size());
      }
      batches[batch.number] = std::move(batch);
    }
  }
  for (const auto& [number, batch] : batches) add(batch, evaluation);
  for (Evaluation::Output& output : evaluation.outputs)
    ranks_->broadcast(output.values.data(),
                      static_cast<int64_t>(output.values.size() * sizeof(double)));
  ranks_->broadcast(&evaluation.samples, sizeof evaluation.samples);
}

}  // namespace orepa
