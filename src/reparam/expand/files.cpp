#include <algorithm>

#include "io/drafts.h"
#include "io/stored_blobs.h"
#include "orepa/error.h"
#include "orepa/weights.h"
#include "reparam/deploy.h"
#include "reparam/equality.h"
#include "reparam/expand/inflate.h"

namespace orepa {
namespace {

// The net in phase TEST under an Input, so that any numbers can be put in.
NetSpec for_proof(const NetSpec& net, const EveryPhase& built) {
  const Net* test = built.find(Phase::kTest);
  require(test != nullptr, net.name(), ": has no phase TEST, in which the nets are compared");
  return NetSpec(
      with_input(
          test_layers(net), [&](const std::string& blob) { return test->shape(blob); }, 1),
      net.name());
}

// Runs both nets and notes in the report how far they are apart.
void prove(const NetSpec& given, const EveryPhase& given_built, const NetSpec& written,
           const EveryPhase& written_built, const Expansion& expansion, Device& device,
           ReparamReport& report) {
  const NetSpec specs[2] = {for_proof(given, given_built), for_proof(written, written_built)};
  const std::vector<std::string> blobs = common_blobs(specs[0], specs[1]);
  const NetOptions options = proof_options(Algorithm::kDirect, blobs);
  Instance original(specs[0], device, options), inflated(specs[1], device, options);
  copy_values(given_built.parameters, original.parameters);
  copy_values(written_built.parameters, inflated.parameters);
  run_alike(original.net, inflated.net);
  for (const std::string& blob : blobs) {
    const double error = compare(original.net, inflated.net, blob).relative;
    ++report.blobs_compared;
    if (error >= report.largest_error) {
      report.largest_error = error;
      report.largest_error_blob = blob;
    }
    for (size_t row = 0; row < report.rows.size(); ++row) {
      const std::vector<LayerParameter>& layers = expansion.blocks[row].layers;
      if (!layers.empty() && layers.back().top(0) == blob) report.rows[row].error = error;
    }
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
    require(report.largest_error <= files.tolerance, "blob \"", report.largest_error_blob,
            "\" of the re-parameterised net differs by ", report.largest_error,
            " relative to its largest number, more than the tolerance ", files.tolerance,
            "; no file was written");
  }
  drafts.accept();
  return report;
}

}  // namespace orepa
