#include "orepa/linear_map.h"

#include <algorithm>

namespace orepa {

bool LinearShape::is_channelwise() const {
  return groups == inputs && groups == outputs &&
         std::all_of(axes.begin(), axes.end(),
                     [](const Axis& axis) { return axis.size == 1 && axis.stride == 1; });
}

bool LinearShape::covers(const std::array<int64_t, 2>& image) const {
  return axes[0].size == image[0] && axes[1].size == image[1] && axes[0].pad == 0 &&
         axes[1].pad == 0;
}

LinearShape LinearShape::identity(int64_t channels) {
  LinearShape shape;
  shape.outputs = shape.inputs = shape.groups = channels;
  return shape;
}

LinearMap::LinearMap(const LinearShape& shape)
    : LinearShape(shape),
      kernel(static_cast<size_t>(shape.weights()), 0.0),
      bias(static_cast<size_t>(shape.biased ? shape.outputs : 0), 0.0) {}

LinearMap LinearMap::identity(int64_t channels) {
  LinearMap map(LinearShape::identity(channels));
  map.kernel.assign(map.kernel.size(), 1.0);
  return map;
}

}  // namespace orepa
