#include "survey.h"

#include <map>

#include "engine/graph.h"

namespace orepa::tool {

Survey survey_of(const NetSpec& net, const NetOptions& options) {
  std::set<std::string> known;
  for (const LayerType& type : layer_types()) known.insert(type.name);
  std::map<const google::protobuf::Message*, int> index;
  for (const Options& layer : net.layers())
    index.emplace(layer.proto(), static_cast<int>(index.size()));

  const Graph graph = build_graph(net, {options.phase, options.level, options.stages});
  std::vector<std::string> origin(graph.values.size());  // the first unknown layer in front
  Survey survey;
  for (const Node& node : graph.nodes) {
    std::string behind;
    for (const int v : node.inputs)
      if (behind.empty()) behind = origin[v];
    const bool unknown = !known.contains(node.spec.type);
    if (unknown) survey.types.insert(node.spec.type);
    if (!unknown && behind.empty()) continue;
    survey.unknown.push_back({index.at(node.spec.options.proto()), node.spec.name, node.spec.type,
                              unknown ? "type not known" : "behind " + behind});
    for (const int v : node.outputs) origin[v] = behind.empty() ? node.spec.name : behind;
  }
  survey.nothing_known = survey.unknown.size() == graph.nodes.size();
  return survey;
}

}  // namespace orepa::tool
