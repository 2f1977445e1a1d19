#include "reparam/expand/inflate.h"

#include <algorithm>
#include <set>

#include "orepa/error.h"
#include "reparam/deploy.h"
#include "reparam/expand/chains.h"

namespace orepa {
namespace {

class Inflation {
 public:
  Inflation(const Expansion& expansion, const Parameters& given, EveryPhase& inflated)
      : given_(given), inflated_(inflated), parameters_(inflated.parameters) {
    for (const Block& block : expansion.blocks) {
      takes_.insert(block.takes.begin(), block.takes.end());
      silent_.insert(block.silent.begin(), block.silent.end());
      for (const LayerParameter& layer : block.layers) made_.insert(layer.name());
    }
  }

  void run() {
    for (const auto& parameter : parameters_.all()) set(*parameter);
    inflated_.prepare();
    for (const auto& parameter : parameters_.all())
      if (takes_difference(*parameter)) add_difference(*parameter);
  }

 private:
  bool takes_difference(const Parameter& parameter) const {
    return parameter.factor && parameter.name == "kxk.weight" && takes_.contains(parameter.layer);
  }

  void set(Parameter& parameter) {
    const auto from = takes_.find(parameter.layer);
    if (parameter.kind == Parameter::Kind::kDerived) return;
    if (silent_.contains(parameter.layer) || takes_difference(parameter))
      parameters_.write(parameter, std::vector<float>(parameter.value.count(), 0.0f));
    else if (from != takes_.end() && !parameter.factor)
      parameters_.write(parameter, read(from->second, parameter.name));
    else if (!made_.contains(parameter.layer))
      parameters_.write(parameter, read(parameter.layer, parameter.name));
  }

  // P = (W - what the other branches make) / s
  void add_difference(Parameter& kxk) {
    const std::vector<float> wanted = read(takes_.at(kxk.layer), "weight");
    const std::vector<float> others = parameters_.read(find(parameters_, kxk.layer, "weight"));
    const std::vector<float> scale = parameters_.read(find(parameters_, kxk.layer, "kxk.scale"));
    std::vector<float> values(wanted.size());
    const size_t each = values.size() / scale.size();
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>((double{wanted[i]} - others[i]) / scale[i / each]);
    parameters_.write(kxk, values);
  }

  static const Parameter& find(const Parameters& parameters, const std::string& layer,
                               const std::string& name) {
    const Parameter* found = parameters.find(layer, name);
    require(found != nullptr, "layer \"", layer, "\" has no parameter \"", name, "\"");
    return *found;
  }
  std::vector<float> read(const std::string& layer, const std::string& name) const {
    return given_.read(find(given_, layer, name));
  }

  const Parameters& given_;
  EveryPhase& inflated_;
  Parameters& parameters_;
  std::map<std::string, std::string> takes_;
  std::set<std::string> silent_, made_;
};

}  // namespace

EveryPhase::EveryPhase(const NetSpec& spec, Device& device)
    : parameters(device, 0, false), arena(device), phases(phases_of(spec)) {
  for (const Phase phase : phases) {
    NetOptions options;
    options.phase = phase;
    options.precision = DType::kFloat32;
    options.batch_size = deploy_batch_size(spec.proto());
    options.weights_change_every_pass = false;
    nets.push_back(std::make_unique<Net>(spec, parameters, arena, options));
  }
}

const Net* EveryPhase::find(Phase phase) const {
  const auto found = std::find(phases.begin(), phases.end(), phase);
  return found == phases.end() ? nullptr : nets[found - phases.begin()].get();
}

void EveryPhase::prepare() {
  for (const auto& net : nets) net->prepare();
}

void inflate(const Expansion& expansion, const Parameters& given, EveryPhase& inflated) {
  Inflation(expansion, given, inflated).run();
}

}  // namespace orepa
