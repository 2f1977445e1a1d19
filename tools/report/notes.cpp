#include "report/notes.h"

#include "report/json_files.h"

namespace orepa::tool {

std::string network_json(const std::string& name, const Net& net) {
  Json layers = Json::array();
  for (const LayerReport& row : net.report()) {
    Json outputs = Json::array();
    for (const Shape& shape : row.outputs) outputs.push_back(shape.extents());
    layers.push_back({{"name", row.name},
                      {"type", row.type},
                      {"outputs", outputs},
                      {"parameters", row.parameters},
                      {"merged_parameters", row.merged_parameters},
                      {"macs", row.macs}});
  }
  return written({{"name", name}, {"batch", net.batch_size()}, {"layers", layers}}) + "\n";
}

std::string branches_line(int64_t iteration, const std::vector<LayerBranches>& layers) {
  Json all = Json::object();
  for (const LayerBranches& layer : layers) {
    Json& branches = all[layer.layer] = Json::object();
    for (const BranchScale& scale : layer.branches)
      branches[scale.branch] = {{"norm", scale.norm}, {"share", scale.share}};
  }
  return written({{"iteration", iteration}, {"layers", all}});
}

}  // namespace orepa::tool
