#include "orepa/convert.h"

#include <algorithm>
#include <cmath>

#include "io/drafts.h"
#include "io/onnx/onnx.h"
#include "io/weights/stored_blobs.h"
#include "orepa/weights.h"
#include "reparam/deploy.h"
#include "reparam/equality.h"
#include "reparam/merge.h"
#include "reparam/portable_pools.h"

namespace orepa {
namespace {

void set_values(Parameters& parameters, const MergedNet& merged) {
  for (const auto& parameter : parameters.all()) {
    const auto found = merged.values.find(parameter->path());
    // What merge() does not know are the ones of portable pools, and of Scales instead of Bias.
    const std::vector<float> values = found != merged.values.end()
                                          ? found->second
                                          : std::vector<float>(parameter->value.count(), 1.0f);
    require(std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }),
            "the merged \"", parameter->path(), "\" has numbers that are not finite; look at the ",
            "variances of the BatchNorms that are merged into it");
    parameters.write(*parameter, values);
  }
}

// What the input of the plain net has to have gone through.
std::string transform_of(const NetParameter& trained) {
  for (const LayerParameter& layer : trained.layer())
    if (layer.has_transform_param()) return layer.transform_param().ShortDebugString();
  return "";
}

int64_t learned_numbers(const Parameters& parameters) {
  int64_t count = 0;
  for (const auto& parameter : parameters.all())
    if (parameter->kind == Parameter::Kind::kLearned) count += parameter->value.count();
  return count;
}

// Layers by name: heads that help a training, say.
std::set<std::string> only_in_training(const NetParameter& whole, const NetParameter& used) {
  std::set<std::string> names;
  for (const LayerParameter& layer : whole.layer()) names.insert(layer.name());
  for (const LayerParameter& layer : used.layer()) names.erase(layer.name());
  return names;
}

}  // namespace

void WeightRange::include(const std::vector<double>& weights) {
  for (const double weight : weights) {
    least = std::min(least, weight);
    most = std::max(most, weight);
  }
}

void WeightRange::include(const WeightRange& other) {
  least = std::min(least, other.least);
  most = std::max(most, other.most);
}

ConvertReport convert(const NetSpec& spec, const std::vector<std::string>& weights, Device& device,
                      const ConvertOptions& options) {
  const bool onnx = options.format == ConvertOptions::Format::kOnnx;
  if (!onnx) require_weights_name(options.output_weights);
  const NetParameter trained = test_layers(spec);
  const NetSpec trained_spec(trained, spec.name());
  // Keeping every blob keeps every layer by itself, so that each value has a shape to ask for.
  NetOptions unfused = proof_options(common_blobs(trained_spec, trained_spec));
  unfused.batch_size = deploy_batch_size(trained);
  Model source(spec, device, unfused);
  load_weights(weights, source.parameters, true, only_in_training(spec.proto(), trained));
  source.net.prepare();
  MergedNet merged = merge(
      trained, source.parameters, [&](const std::string& blob) { return source.net.shape(blob); },
      options.merge_all);
  straighten_inner_products(merged.net, merged.values);
  const auto shape_of = [&](const std::string& blob) {
    const auto renamed = merged.original_names.find(blob);
    return source.net.shape(renamed == merged.original_names.end() ? blob : renamed->second);
  };
  if (!onnx) {
    merged.net = portable_pools(merged.net, shape_of);
    replace_biases(merged.net);
  }
  const NetParameter plain_net = with_input(merged.net, shape_of);
  NetSpec deploy(onnx ? plain_net : portable(plain_net), options.output);
  // The trained net under the same Input, to compare with, value by value.
  const NetSpec reference(named_by_value(with_input(trained, shape_of)), spec.name());

  std::vector<std::string> inputs = weights;
  inputs.push_back(spec.name());
  Drafts drafts(inputs);
  const std::string transform = transform_of(trained);
  const std::string draft = drafts.draft_of(options.output);
  std::string weights_draft;
  if (!onnx) {
    weights_draft = drafts.draft_of(options.output_weights);
    deploy.write(draft,
                 transform.empty() ? "" : "Input: as after transform_param { " + transform + " }");
    Model plain(deploy, device, proof_options());
    set_values(plain.parameters, merged);
    save_weights(weights_draft, deploy, plain.parameters);
    deploy = NetSpec::read(draft);
  }
  if (!options.output_test.empty()) NetSpec(merged.net).write(drafts.draft_of(options.output_test));

  const NetSpec written(named_by_value(deploy.proto()), options.output);
  Model plain(written, device, proof_options(common_blobs(written, written)));
  if (onnx)
    set_values(plain.parameters, merged);
  else
    load_weights({weights_draft}, plain.parameters, true);
  Model original(reference, device, proof_options(common_blobs(reference, reference)));
  copy_values(source.parameters, original.parameters);
  run_alike(original.net, plain.net, word_inputs(reference));
  const auto difference = [&](const std::string& value) {
    const auto found = merged.original_values.find(value);
    return compare(original.net, plain.net, value,
                   found == merged.original_values.end() ? value : found->second);
  };

  ConvertReport report;
  report.parameters_before = learned_numbers(original.parameters);
  report.parameters_after = learned_numbers(plain.parameters);
  report.transform = transform;
  report.rows = merged.rows;
  report.left = merged.left;
  for (ConvertReport::Row& row : report.rows)
    if (const std::string top = value_name(row.layer, 0); merged.original_values.contains(top))
      row.error = difference(top).relative;
  for (const Net::Blob& output : plain.net.outputs()) {
    const Difference apart = difference(output.name);
    report.output_error = std::max(report.output_error, apart.relative);
    report.output_difference = std::max(report.output_difference, apart.absolute);
  }
  require(report.output_error <= options.tolerance, "the merged net differs by ",
          report.output_error, " relative to its largest output, more than the tolerance ",
          options.tolerance, "; no file was written");
  // What comes behind may hide it: a Softmax that is all 0 and 1.
  for (const ConvertReport::Row& row : report.rows) {
    const double error = row.error.value_or(0);
    require(error <= options.tolerance, "the merged layer \"", row.layer, "\" differs by ", error,
            " relative to its largest output, more than the tolerance ", options.tolerance,
            "; no file was written");
  }
  if (onnx)
    write_onnx(draft, deploy, plain.parameters,
               [&, values = last_values(deploy.proto())](const std::string& blob) {
                 return plain.net.shape(values.at(blob));
               });
  drafts.accept();
  return report;
}

}  // namespace orepa
