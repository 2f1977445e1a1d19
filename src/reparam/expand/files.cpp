#include <algorithm>
#include <set>

#include "io/drafts.h"
#include "io/weights/stored_blobs.h"
#include "orepa/error.h"
#include "orepa/weights.h"
#include "reparam/deploy.h"
#include "reparam/equality.h"
#include "reparam/expand/inflate.h"

namespace orepa {
namespace {

// A value of both nets, by its value_name() in each; `row` of the report where it is a block's.
struct CommonValue {
  std::string given, written;
  int row;
};

std::vector<CommonValue> common_values(const NetSpec& given, const NetSpec& written,
                                       const std::vector<Block>& blocks) {
  std::vector<CommonValue> values;
  const std::vector<std::string> names = common_blobs(given, given);
  const std::set<std::string> all(names.begin(), names.end());  // a block may be of TRAIN alone
  std::set<std::string> inside;  // what only one of the nets has, whatever it is called
  for (size_t row = 0; row < blocks.size(); ++row) {
    const Block& block = blocks[row];
    if (block.layers.empty()) continue;
    const std::string end = value_name(block.end, 0);
    if (all.contains(end))
      values.push_back({end, value_name(block.layers.back().name(), 0), static_cast<int>(row)});
    for (const LayerParameter& layer : block.layers)
      for (int top = 0; top < layer.top_size(); ++top) inside.insert(value_name(layer.name(), top));
  }
  for (const std::string& value : common_blobs(given, written))
    if (!inside.contains(value)) values.push_back({value, value, -1});
  return values;
}

// The net in phase TEST under an Input, so that any numbers can be put in; every value by itself.
NetSpec for_proof(const NetSpec& net, const EveryPhase& built) {
  const Net* test = built.find(Phase::kTest);
  require(test != nullptr, net.name(), ": has no phase TEST, in which the nets are compared");
  return NetSpec(named_by_value(with_input(
                     test_layers(net), [&](const std::string& blob) { return test->shape(blob); })),
                 net.name());
}

// Runs both nets and notes in the report how far they are apart.
void prove(const NetSpec& given, const EveryPhase& given_built, const NetSpec& written,
           const EveryPhase& written_built, const Expansion& expansion, Device& device,
           ReparamReport& report) {
  const NetSpec specs[2] = {for_proof(given, given_built), for_proof(written, written_built)};
  const std::vector<CommonValue> values = common_values(specs[0], specs[1], expansion.blocks);
  std::vector<std::string> kept[2];
  for (const CommonValue& value : values) {
    kept[0].push_back(value.given);
    kept[1].push_back(value.written);
  }
  Model original(specs[0], device, proof_options(kept[0]));
  Model inflated(specs[1], device, proof_options(kept[1]));
  copy_values(given_built.parameters, original.parameters);
  copy_values(written_built.parameters, inflated.parameters);
  run_alike(original.net, inflated.net, word_inputs(specs[0]));
  for (const CommonValue& value : values) {
    const double error = compare(original.net, inflated.net, value.written, value.given).relative;
    ++report.values_compared;
    if (error >= report.largest_error) {
      report.largest_error = error;
      report.largest_error_value = value.written;
    }
    if (value.row >= 0) report.rows[static_cast<size_t>(value.row)].error = error;
  }
}

}  // namespace

ReparamReport reparam_files(const NetSpec& net, const ReparamOptions& options,
                            const ReparamFiles& files, Device& device) {
  const bool weights = !files.weights.empty();
  if (weights) {
    require_weights_name(files.output_weights);
    for (const UnknownField& field : net.unknown_fields())
      fail(field.where, ": ", field.what, "; weights are carried over only in nets that are known");
  }
  Expansion expansion = expand(net, options, weights);
  ReparamReport report = expansion.report;
  if (report.rewritten() == 0) return report;

  std::vector<std::string> inputs = files.weights;
  inputs.push_back(net.name());
  Drafts drafts(inputs);
  const std::string draft = drafts.draft_of(files.output);
  expansion.net.write(draft, text(net.name(), ", re-parameterised: style ", options.style));
  if (weights) {
    EveryPhase given(net, device);
    load_weights(files.weights, given.parameters, true);
    const std::string weights_draft = drafts.draft_of(files.output_weights);
    {
      EveryPhase inflated(expansion.net, device);
      inflate(expansion, given.parameters, inflated);
      save_weights(weights_draft, expansion.net, inflated.parameters);
    }
    const NetSpec written = NetSpec::read(draft);
    EveryPhase read_back(written, device);
    load_weights({weights_draft}, read_back.parameters, true);
    given.prepare();
    read_back.prepare();
    prove(net, given, written, read_back, expansion, device, report);
    require(report.largest_error <= files.tolerance, "\"", report.largest_error_value,
            "\" (LAYER:TOP) of the re-parameterised net differs by ", report.largest_error,
            " relative to its largest number, more than the tolerance ", files.tolerance,
            "; no file was written");
  }
  drafts.accept();
  return report;
}

}  // namespace orepa
