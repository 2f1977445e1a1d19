// What a net says of its images: its layer of type Data or ImageData.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "orepa/layer.h"
#include "orepa/net.h"

namespace orepa::tool {

// The first one of the net's phase TEST; none where its samples come from elsewhere.
std::optional<LayerSpec> image_layer(const NetSpec& net, const NetOptions& options);

// Whether the images of three channels that it makes are blue, green and red, in Caffe's order.
bool makes_bgr(const LayerSpec& layer);

// By label; empty where its source knows none. Cheap while a net has that source open.
std::vector<std::string> class_names(const LayerSpec& layer);

}  // namespace orepa::tool
