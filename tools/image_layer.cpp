#include "image_layer.h"

#include "engine/graph.h"
#include "orepa/data_source.h"

namespace orepa::tool {

std::optional<LayerSpec> image_layer(const NetSpec& net, const NetOptions& options) {
  const LayerFilter filter = with_state({Phase::kTest, options.level, options.stages}, net);
  for (const Options& layer : net.layers()) {
    const LayerSpec spec{layer.string("name"), layer.string("type"), layer};
    if ((spec.type == "Data" || spec.type == "ImageData") && included(spec, filter)) return spec;
  }
  return std::nullopt;
}

bool makes_bgr(const LayerSpec& layer) {
  return layer.options.message("transform_param").choice("color_order") == "BGR";
}

std::vector<std::string> class_names(const LayerSpec& layer) {
  if (layer.type != "Data") return {};
  return open_data_source(layer.options.message("data_param"), true)->classes();
}

}  // namespace orepa::tool
