#include "absent_data.h"

#include <filesystem>

#include "orepa.pb.h"
#include "orepa/layer.h"

namespace orepa::tool {
namespace {

struct Extent {
  int64_t height = 0, width = 0;
  std::string str() const { return text(height, " x ", width); }
};

// What a resize or a crop makes; nothing where that depends on the image.
Extent extent_of(const Options& transform) {
  if (transform.has("size")) return {transform.integer("size"), transform.integer("size")};
  if (!transform.has("height")) return {};
  return {transform.integer("height"), transform.integer("width")};
}

Extent image_extent(const Options& layer) {
  const Options transform = layer.message("transform_param");
  Extent extent;
  if (layer.string("type") == "ImageData") {
    const Options data = layer.message("image_data_param");
    extent = {data.integer("new_height"), data.integer("new_width")};
  }
  if (const int64_t crop = transform.integer("crop_size"); crop > 0) extent = {crop, crop};
  for (const Options& entry : transform.messages("transform"))
    for (const char* field : {"resize", "center_crop", "random_crop", "random_resized_crop"})
      if (entry.has(field)) extent = extent_of(entry.message(field));
  return extent;
}

// Makes an Input of the layer; false where the size of its images is not known.
bool become_input(const Options& layer, LayerParameter& made) {
  const bool list = layer.string("type") == "ImageData";
  const Options transform = layer.message("transform_param");
  const Options data = layer.message(list ? "image_data_param" : "data_param");
  const Extent extent = image_extent(layer);
  if (extent.height <= 0 || extent.width <= 0) return false;
  const bool gray = !transform.flag("force_color") &&
                    (transform.flag("force_gray") || (list && !data.flag("is_color")));
  made.set_type("Input");
  for (int top = 0; top < made.top_size(); ++top) {
    BlobShape& shape = *made.mutable_input_param()->add_shape();
    shape.add_dim(data.integer("batch_size"));
    if (top > 0) continue;  // labels
    for (const int64_t dim : {int64_t{gray ? 1 : 3}, extent.height, extent.width})
      shape.add_dim(dim);
  }
  return true;
}

bool reads_absent_data(const Options& layer) {
  const std::string type = layer.string("type");
  if (type != "Data" && type != "ImageData") return false;
  const Options data = layer.message(type == "Data" ? "data_param" : "image_data_param");
  std::error_code ignored;
  return data.has("source") && !std::filesystem::exists(data.string("source"), ignored);
}

}  // namespace

NetSpec without_absent_data(const NetSpec& spec, const LayerFilter& filter,
                            std::vector<std::string>& notes) {
  return spec.with([&](NetParameter& net) {
    const std::vector<Options> layers = spec.layers();
    for (size_t l = 0; l < layers.size(); ++l) {
      const LayerSpec layer{layers[l].string("name"), layers[l].string("type"), layers[l]};
      if (!included(layer, with_state(filter, spec)) || !reads_absent_data(layers[l])) continue;
      const bool known = become_input(layers[l], *net.mutable_layer(static_cast<int>(l)));
      notes.push_back(layer.where() + "its source is not there, " +
                      (known ? "and taken for one of " + image_extent(layers[l]).str() + " pixels"
                             : "and the size of its images not known without it"));
    }
  });
}

}  // namespace orepa::tool
