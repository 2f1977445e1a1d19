#include "engine/graph.h"

#include <algorithm>
#include <map>
#include <set>

#include "engine/names.h"

namespace orepa {
namespace {

// Far above any net: some of the work on a graph grows with the square of these.
constexpr size_t kMostLayers = 20'000, kMostBlobs = 40'000, kMostBottoms = 100'000;

bool meets(const Options& rule, const LayerFilter& filter) {
  const auto has_stage = [&](const std::string& stage) {
    return std::find(filter.stages.begin(), filter.stages.end(), stage) != filter.stages.end();
  };
  if (rule.has("phase") && (rule.choice("phase") == "TRAIN") != (filter.phase == Phase::kTrain))
    return false;
  if (rule.has("min_level") && filter.level < rule.integer("min_level")) return false;
  if (rule.has("max_level") && filter.level > rule.integer("max_level")) return false;
  for (const std::string& stage : rule.strings("stage"))
    if (!has_stage(stage)) return false;
  for (const std::string& stage : rule.strings("not_stage"))
    if (has_stage(stage)) return false;
  return true;
}

class GraphBuilder {
 public:
  GraphBuilder(std::vector<LayerSpec> layers, ErrorList& errors)
      : layers_(std::move(layers)), errors_(errors) {}

  Graph build() {
    std::set<std::string> names;
    for (const LayerSpec& spec : layers_) {
      const bool named = errors_.attempt([&] {
        // The name itself would make the message unreadable.
        require(is_name(spec.name), spec.options.where("name"), ": a layer of type \"", spec.type,
                "\" has no name that can be used; ", kNameRule);
        require(names.insert(spec.name).second, spec.where("name"),
                "another layer of this phase has the same name; give each its own, since weights "
                "are found by it");
      });
      add(spec);
      if (!named) graph_.nodes.back().faulty = true;
      require(graph_.nodes.size() <= kMostLayers && graph_.values.size() <= kMostBlobs &&
                  bottoms_ <= kMostBottoms,
              spec.where(), "is one too many: a net may have ", kMostLayers, " layers with ",
              kMostBlobs, " tops and ", kMostBottoms, " bottoms");
    }
    return std::move(graph_);
  }

 private:
  void add(const LayerSpec& spec) {
    const int node = static_cast<int>(graph_.nodes.size());
    Node& added = graph_.nodes.emplace_back(Node{spec, {}, {}, {}});
    const std::vector<std::string> bottoms = spec.options.strings("bottom");
    const std::set<std::string> replaceable(bottoms.begin(), bottoms.end());
    bottoms_ += bottoms.size();
    const auto attempt = [&](auto call) {
      if (!errors_.attempt(call)) added.faulty = true;
    };
    for (const std::string& bottom : bottoms)
      attempt([&] {
        const auto found = current_.find(bottom);
        if (found == current_.end()) missing(spec, bottom);
        added.inputs.push_back(found->second);
        graph_.values[found->second].consumers.push_back(node);
      });
    std::set<std::string> own;
    for (const std::string& top : spec.options.strings("top"))
      attempt([&] {
        const bool in_place = replaceable.contains(top);
        require(is_name(top), spec.where("top"), "has a top whose name cannot be used; ",
                kNameRule);
        require(own.insert(top).second && (in_place || !current_.contains(top)), spec.where("top"),
                "top \"", top, "\" is made already, by layer \"",
                current_.contains(top) ? producer(top) : spec.name,
                "\"; only a layer that reads a blob may write it again");
        const int value = static_cast<int>(graph_.values.size());
        graph_.values.push_back({top, node, {}});
        added.outputs.push_back(value);
        current_[top] = value;
      });
  }

  const std::string& producer(const std::string& blob) const {
    return graph_.nodes[graph_.values[current_.at(blob)].producer].spec.name;
  }

  [[noreturn]] void missing(const LayerSpec& spec, const std::string& bottom) const {
    std::vector<std::string> known;
    for (const auto& [name, value] : current_) known.push_back(name);
    std::string remedy = did_you_mean(bottom, known);
    for (const LayerSpec& later : layers_)
      for (const std::string& top : later.options.strings("top"))
        if (top == bottom)
          remedy = "; layer \"" + later.name + "\" makes it, but stands later in the file";
    fail(spec.where("bottom"), "no earlier layer of this phase makes bottom \"", bottom, "\"",
         remedy);
  }

  std::vector<LayerSpec> layers_;
  ErrorList& errors_;
  Graph graph_;
  std::map<std::string, int> current_;  // blob -> its newest value
  size_t bottoms_ = 0;
};

}  // namespace

int Graph::find(const std::string& blob) const {
  for (int v = static_cast<int>(values.size()) - 1; v >= 0; --v)
    if (values[v].name == blob) return v;
  return -1;
}

int Graph::first(const std::string& blob) const {
  for (size_t v = 0; v < values.size(); ++v)
    if (values[v].name == blob) return static_cast<int>(v);
  return -1;
}

std::vector<std::string> Graph::blobs() const {
  std::vector<std::string> names;
  std::set<std::string> known;
  for (const Value& value : values)
    if (known.insert(value.name).second) names.push_back(value.name);
  return names;
}

LayerFilter with_state(LayerFilter filter, const NetSpec& net) {
  const Options state = net.options().message("state");
  if (filter.level == 0) filter.level = static_cast<int>(state.integer("level"));
  for (const std::string& stage : state.strings("stage")) filter.stages.push_back(stage);
  return filter;
}

bool included(const LayerSpec& spec, const LayerFilter& filter) {
  const std::vector<Options> include = spec.options.messages("include");
  const std::vector<Options> exclude = spec.options.messages("exclude");
  const auto met = [&](const Options& rule) { return meets(rule, filter); };
  if (!include.empty()) return std::any_of(include.begin(), include.end(), met);
  return std::none_of(exclude.begin(), exclude.end(), met);
}

Graph build_graph(const NetSpec& net, const LayerFilter& outer, ErrorList& errors) {
  const LayerFilter filter = with_state(outer, net);
  std::vector<LayerSpec> layers;
  for (const Options& options : net.layers()) {
    LayerSpec spec{options.string("name"), options.string("type"), options};
    errors.require(!options.has("include") || !options.has("exclude"), spec.where("exclude"),
                   "include and exclude rules cannot both be given");
    if (included(spec, filter)) layers.push_back(std::move(spec));
  }
  require(!layers.empty(), net.name(), ": no layer is left for phase ",
          filter.phase == Phase::kTrain ? "TRAIN" : "TEST");
  return GraphBuilder(std::move(layers), errors).build();
}

Graph build_graph(const NetSpec& net, const LayerFilter& filter) {
  ErrorList errors;
  Graph graph = build_graph(net, filter, errors);
  errors.raise();
  return graph;
}

}  // namespace orepa
