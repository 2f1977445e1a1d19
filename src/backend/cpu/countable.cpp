#include <algorithm>
#include <limits>

#include "backend/cpu/onednn.h"

namespace orepa::cpu {
namespace {

constexpr int64_t kMost = std::numeric_limits<int32_t>::max();

}  // namespace

void require_countable(const Shape& shape) {
  const bool fits = shape.fits(kMost);  // before its parts are counted
  require(fits && shape.count(std::min(1, shape.rank()), shape.rank()) <= kMost / 4, "a tensor of ",
          shape.str(),
          " is more than this device counts: 2^31 numbers, and 2^31 bytes a sample; use a smaller "
          "batch, or smaller samples");
}

void require_countable(const char* what, int64_t count) {
  require(count <= kMost, what, " of ", count, " is more than this device counts, ", kMost);
}

void require_countable(const Shape& input, const Pair& window, const Pair& stride, const Pair& pad,
                       const Pair& dilation) {
  for (int axis = 0; axis < 2; ++axis) {
    require_countable("a stride", stride[axis]);
    require_countable("a padded extent", input[2 + axis] + 2 * pad[axis]);
    require_countable("a window", (window[axis] - 1) * dilation[axis] + 1);
  }
  require_countable("a window", window[0] * window[1]);
}

}  // namespace orepa::cpu
