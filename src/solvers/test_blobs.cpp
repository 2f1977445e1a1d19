#include <algorithm>

#include "engine/graph.h"
#include "orepa/evaluate.h"

namespace orepa {

std::vector<std::string> TestBlobs::names() const {
  std::vector<std::string> names{scores, labels};
  if (!images.empty()) names.push_back(images);
  return names;
}

std::optional<TestBlobs> test_blobs(const NetSpec& spec, const NetOptions& options) {
  const Graph graph = build_graph(spec, {Phase::kTest, options.level, options.stages});
  const auto found = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                  [](const Node& node) { return node.spec.type == "Accuracy"; });
  if (found == graph.nodes.end() || found->inputs.size() != 2) return std::nullopt;
  const auto readable = [&](int value) { return graph.find(graph.values[value].name) == value; };
  const auto producer = [&](int value) -> const Node& {
    return graph.nodes[graph.values[value].producer];
  };
  const int scores = found->inputs[0], labels = found->inputs[1];
  if (!readable(scores) || !readable(labels)) return std::nullopt;
  TestBlobs blobs;
  blobs.scores = graph.values[scores].name;
  blobs.labels = graph.values[labels].name;
  blobs.probabilities = producer(scores).spec.type == "Softmax";
  const int images = producer(labels).outputs[0];
  if (images != labels && readable(images)) blobs.images = graph.values[images].name;
  return blobs;
}

}  // namespace orepa
