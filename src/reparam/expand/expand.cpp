#include "reparam/expand/expand.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/pattern.h"
#include "orepa/error.h"

namespace orepa {
namespace {

const Style& find_style(const std::string& name) {
  std::string known;
  for (const Style& style : styles()) {
    if (style.name == name) return style;
    known += (known.empty() ? "" : ", ") + style.name;
  }
  const std::string nearest = nearest_name(name, reparam_styles());
  fail("unknown style \"", name, "\"; ",
       nearest.empty() ? "" : "did you mean \"" + nearest + "\"? ", "known are ", known);
}

// A pattern that matches nothing is a slip.
void require_match(const char* option, const std::string& pattern,
                   const std::vector<Chain>& chains) {
  if (pattern.empty()) return;
  const Pattern expression(option, pattern);
  std::vector<std::string> names;
  for (const Chain& chain : chains) names.push_back(chain.convolution->name());
  if (std::any_of(names.begin(), names.end(),
                  [&](const std::string& name) { return expression.matches(name); }))
    return;
  fail(option, " \"", pattern, "\" matches the whole name of no Convolution",
       did_you_mean(pattern, names));
}

std::set<std::string> unknown_types(const NetSpec& net) {
  std::set<std::string> types;
  for (const LayerParameter& layer : net.proto().layer()) types.insert(layer.type());
  for (const LayerType& known : layer_types()) types.erase(known.name);
  return types;
}

class Expander {
 public:
  Expander(const NetSpec& net, const ReparamOptions& options, bool exact)
      : style_(find_style(options.style)),
        include_("include", options.include.empty() ? ".*" : options.include),
        exclude_("exclude", options.exclude),
        exact_(exact) {
    for (const LayerParameter& layer : net.proto().layer()) {
      known_.insert(layer.name());
      known_.insert(layer.top().begin(), layer.top().end());
    }
    for (const UnknownField& field : net.unknown_fields())
      if (field.layer >= 0) unknown_.emplace(&net.proto().layer(field.layer), field);
  }

  bool takes_norm() const { return style_.takes_norm; }

  // Throws Error with the reason where the convolution stays plain.
  Block expand(const Chain& chain) const {
    const LayerParameter& convolution = *chain.convolution;
    require(include_.matches(convolution.name()), "not included");
    require(!exclude_.matches(convolution.name()), "excluded");
    require(convolution.bottom_size() == 1 && convolution.top_size() == 1,
            "it has more than one bottom and one top");
    require(chain.planar, "it is over other axes than height and width");
    require(chain.seen, "no phase has it at level 0 without stages");
    for (const LayerParameter* layer : {chain.convolution, chain.norm, chain.scale}) {
      if (layer == nullptr) continue;
      const auto found = unknown_.find(layer);
      if (found != unknown_.end()) fail(found->second.where, ": ", found->second.what);
      for (const ParamSpec& spec : layer->param())
        require(!spec.has_name(), "it shares parameter \"", spec.name(), "\"");
    }
    Block block = style_.expand(chain, exact_);
    for (const LayerParameter& layer : block.layers)
      require(layer.name() == convolution.name() || !known_.contains(layer.name()), "the name \"",
              layer.name(), "\" is in use");
    return block;
  }

 private:
  const Style& style_;
  Pattern include_, exclude_;
  bool exact_;
  std::set<std::string> known_;  // layers and blobs
  std::map<const LayerParameter*, UnknownField> unknown_;
};

}  // namespace

Expansion expand(const NetSpec& net, const ReparamOptions& options, bool exact) {
  const Expander expander(net, options, exact);
  std::vector<Block> blocks;
  std::map<const LayerParameter*, std::vector<LayerParameter>> replaced;
  ReparamReport report;
  report.unknown_types = unknown_types(net);
  std::vector<Chain> chains = find_chains(net);
  require_match("include", options.include, chains);
  require_match("exclude", options.exclude, chains);
  for (Chain& chain : chains) {
    if (!expander.takes_norm()) chain.norm = chain.scale = nullptr;
    Block& block = blocks.emplace_back();
    try {
      block = expander.expand(chain);
      block.end = chain.end().name();
      for (const LayerParameter* layer : {chain.norm, chain.scale}) replaced[layer];
      replaced[chain.convolution] = block.layers;
    } catch (const Error& reason) {
      block.note = reason.what();
    }
    report.rows.push_back({chain.convolution->name(), block.name, block.note, {}});
  }

  std::map<int, std::vector<LayerParameter>> by_index;
  for (int i = 0; i < net.proto().layer_size(); ++i) {
    const auto found = replaced.find(&net.proto().layer(i));
    if (found != replaced.end()) by_index[i] = found->second;
  }
  return {net.replaced(by_index), std::move(report), std::move(blocks)};
}

int ReparamReport::rewritten() const {
  return static_cast<int>(
      std::count_if(rows.begin(), rows.end(), [](const Row& row) { return !row.became.empty(); }));
}

std::vector<std::string> reparam_styles() {
  std::vector<std::string> names;
  for (const Style& style : styles()) names.push_back(style.name);
  return names;
}

NetSpec reparam(const NetSpec& net, const ReparamOptions& options, ReparamReport* report) {
  Expansion expansion = expand(net, options, false);
  if (report != nullptr) *report = std::move(expansion.report);
  return std::move(expansion.net);
}

}  // namespace orepa
