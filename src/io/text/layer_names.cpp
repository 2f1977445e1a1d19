#include "io/text/layer_names.h"

#include <algorithm>

namespace orepa {

bool runs_in(const LayerParameter& layer, NetPhase phase) {
  const auto is_of = [&](const NetStateRule& rule) {
    return !rule.has_phase() || rule.phase() == phase;
  };
  const auto& include = layer.include();
  const auto& exclude = layer.exclude();
  if (!include.empty()) return std::any_of(include.begin(), include.end(), is_of);
  return std::none_of(exclude.begin(), exclude.end(),
                      [&](const NetStateRule& rule) { return rule.has_phase() && is_of(rule); });
}

bool runs_in(const LayerParameter& layer, NetPhase phase, const std::string& net) {
  return !net.starts_with(phase == TRAIN ? "test_net" : "train_net") && runs_in(layer, phase);
}

std::string name_in_phase(const LayerParameter& layer, NetPhase phase) {
  return layer.name() + ":" + NetPhase_Name(phase);
}

std::vector<std::string> names_of(const LayerParameter& layer, const std::string& net) {
  std::vector<std::string> names = {layer.name()};
  const bool trains = runs_in(layer, TRAIN, net);
  if (trains != runs_in(layer, TEST, net))
    names.push_back(name_in_phase(layer, trains ? TRAIN : TEST));
  return names;
}

}  // namespace orepa
