#include "orepa/convert.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "orepa/net.h"
#include "orepa/weights.h"
#include "reparam/deploy.h"
#include "reparam/merge.h"

namespace orepa {
namespace {

// A net with parameters and memory of its own.
struct Instance {
  Instance(const NetSpec& spec, Device& device, const NetOptions& options)
      : parameters(device, 0, false), arena(device), net(spec, parameters, arena, options) {}
  Parameters parameters;
  Arena arena;
  Net net;
};

NetOptions test_options(Algorithm algorithm, std::vector<std::string> keep = {}) {
  NetOptions options;
  options.algorithm = algorithm;
  options.weights_change_every_pass = false;
  options.keep = std::move(keep);
  return options;
}

std::vector<std::string> names_of_blobs(const NetParameter& net) {
  std::vector<std::string> names;
  for (const LayerParameter& layer : net.layer())
    for (const std::string& top : layer.top())
      if (std::find(names.begin(), names.end(), top) == names.end()) names.push_back(top);
  return names;
}

void set_values(Parameters& parameters, const MergedNet& merged) {
  for (const auto& parameter : parameters.all()) {
    const auto found = merged.values.find(parameter->path());
    // What merge() does not know are the ones of a strided identity, see deploy.h.
    parameters.write(*parameter, found != merged.values.end()
                                     ? found->second
                                     : std::vector<float>(parameter->value.count(), 1.0f));
  }
}

void fill_inputs(Net& a, Net& b) {
  for (const Net::Blob& input : a.inputs()) {
    std::vector<float> values(static_cast<size_t>(input.shape.count()));
    Filler filler;
    filler.type = "gaussian";
    filler.fill(input.shape, 1, "convert " + input.name, values.data());
    a.set(input.name, values);
    b.set(input.name, values);
  }
}

struct Difference {
  double absolute = 0, relative = 0;
};

// NaN compares as the largest difference.
Difference compare(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0, largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(a[i]) - b[i]);
    most = std::isnan(difference) ? INFINITY : std::max(most, difference);
    largest = std::max(largest, std::fabs(static_cast<double>(a[i])));
  }
  return {most, most == 0 ? 0 : most / std::max(largest, 1e-30)};
}

int64_t learned_numbers(const Parameters& parameters) {
  int64_t count = 0;
  for (const auto& parameter : parameters.all())
    if (parameter->kind == Parameter::Kind::kLearned) count += parameter->value.count();
  return count;
}

// Files under other names until they are known to be right; then they get their own, all of them.
class Drafts {
 public:
  // Where to write what shall become `path`: beside it, with the same ending.
  std::string draft_of(const std::string& path) {
    const std::filesystem::path wanted = path;
    const std::string draft =
        (wanted.parent_path() / text("unchecked.", ::getpid(), ".", wanted.filename().string()))
            .string();
    drafts_.emplace_back(draft, path);
    return draft;
  }
  void accept() {
    for (const auto& [draft, path] : drafts_)
      require(std::rename(draft.c_str(), path.c_str()) == 0, path,
              ": cannot be written: ", std::strerror(errno));
  }
  ~Drafts() {
    for (const auto& [draft, path] : drafts_) ::unlink(draft.c_str());
  }

 private:
  std::vector<std::pair<std::string, std::string>> drafts_;  // and the names they shall have
};

}  // namespace

ConvertReport convert(const NetSpec& spec, const std::string& weights, Device& device,
                      const ConvertOptions& options) {
  const NetParameter trained = test_layers(spec);
  const NetSpec trained_spec(trained, spec.name());
  Instance source(trained_spec, device, test_options(options.algorithm));
  load_weights(weights, source.parameters, true);
  source.net.prepare();
  const auto shape_of = [&](const std::string& blob) { return source.net.shape(blob); };

  const MergedNet merged = merge(trained, source.parameters);
  const NetSpec deploy(portable(with_input(merged.net, shape_of, 1), shape_of), options.output);
  const std::vector<std::string> blobs = names_of_blobs(deploy.proto());

  // The trained net under the same Input, to compare with.
  const NetSpec reference(with_input(trained, shape_of, 1), spec.name());
  const std::vector<std::string> known = names_of_blobs(reference.proto());
  std::vector<std::string> common;
  for (const std::string& blob : blobs)
    if (std::find(known.begin(), known.end(), blob) != known.end()) common.push_back(blob);

  Drafts drafts;
  const std::string net_draft = drafts.draft_of(options.output);
  const std::string weights_draft = drafts.draft_of(options.output_weights);
  deploy.write(net_draft);
  {
    Instance plain(deploy, device, test_options(options.algorithm));
    set_values(plain.parameters, merged);
    save_weights(weights_draft, deploy, plain.parameters);
  }
  if (!options.output_test.empty()) NetSpec(merged.net).write(drafts.draft_of(options.output_test));

  const NetSpec written = NetSpec::read(net_draft);
  Instance plain(written, device, test_options(options.algorithm, common));
  load_weights(weights_draft, plain.parameters, true);
  Instance original(reference, device, test_options(options.algorithm, common));
  for (const auto& parameter : original.parameters.all()) {
    const Parameter* from = source.parameters.find(parameter->layer, parameter->name);
    original.parameters.write(*parameter, source.parameters.read(*from));
  }
  fill_inputs(original.net, plain.net);
  for (Net* net : {&original.net, &plain.net}) {
    net->prepare();
    net->forward(0);
  }

  ConvertReport report;
  report.parameters_before = learned_numbers(original.parameters);
  report.parameters_after = learned_numbers(plain.parameters);
  for (const MergedNet::Row& row : merged.rows)
    report.rows.push_back({row.layer, row.parts, row.largest_before, row.largest_after,
                           compare(original.net.read(row.top), plain.net.read(row.top)).relative});
  for (const Net::Blob& output : plain.net.outputs()) {
    const Difference difference =
        compare(original.net.read(output.name), plain.net.read(output.name));
    report.output_error = std::max(report.output_error, difference.relative);
    report.output_difference = std::max(report.output_difference, difference.absolute);
  }
  require(report.output_error <= options.tolerance, "the merged net differs by ",
          report.output_error, " relative to its largest output, more than the tolerance ",
          options.tolerance, "; no file was written");
  drafts.accept();
  return report;
}

}  // namespace orepa
