// How an axis of a tensor lies in memory, for layers that work along one: element (outer, k, inner)
// of axis `axis` stands at (outer * extent + k) * inner_count + inner.
#pragma once
#include "orepa/layer.h"
#include "orepa/numbers.h"

namespace orepa {

struct AxisView {
  int64_t outer = 1, extent = 1, inner = 1;

  OREPA_HD int64_t position(int64_t i, int64_t k) const {
    if (inner == 1) return i * extent + k;  // without divisions
    return (i / inner * extent + k) * inner + i % inner;
  }
  int64_t positions() const { return outer * inner; }

  // A tensor of rank 4 is stored N, H, W, C; any other row-major.
  static AxisView of(const Shape& shape, int axis) {
    if (shape.rank() != 4)
      return {shape.count(0, axis), shape[axis], shape.count(axis + 1, shape.rank())};
    const int64_t n = shape[0], c = shape[1], h = shape[2], w = shape[3];
    switch (axis) {
      case 0:
        return {1, n, h * w * c};
      case 1:
        return {n * h * w, c, 1};
      case 2:
        return {n, h, w * c};
      default:
        return {n * h, w, c};
    }
  }
};

// The field `axis`, or that of its old name: concat_dim, slice_dim.
inline int64_t read_axis(const LayerSpec& spec, const Options& options,
                         const std::string& old_name) {
  require(!options.has(old_name) || !options.has("axis"), spec.where(), "either axis or ", old_name,
          ", its old name, can be given, not both");
  return options.integer(options.has(old_name) ? old_name : "axis");
}

// `axis` as a prototxt gives it, negative ones counted from the end.
inline int64_t canonical_axis(int64_t axis, const Shape& shape) {
  return axis < 0 ? axis + shape.rank() : axis;
}
inline int canonical_axis(const Setup& setup, int64_t axis, const Shape& shape) {
  setup.require(axis >= -shape.rank() && axis < shape.rank(), "axis ", axis,
                " does not exist in a bottom of ", shape.str());
  return static_cast<int>(canonical_axis(axis, shape));
}

// Where a number stands in memory, by its place in the logical, row-major order.
struct LogicalOrder {
  int64_t channels = 1, plane = 1;  // of rank 4; 1 where memory is row-major anyway

  explicit LogicalOrder(const Shape& shape) {
    if (shape.rank() == 4 && shape[1] > 1 && shape[2] * shape[3] > 1) {
      channels = shape[1];
      plane = shape[2] * shape[3];
    }
  }
  bool operator==(const LogicalOrder&) const = default;
  OREPA_HD bool is_row_major() const { return channels == 1; }
  OREPA_HD int64_t stored(int64_t i) const {
    if (channels == 1) return i;
    const int64_t p = i % plane, c = i / plane % channels;
    return (i / (plane * channels) * plane + p) * channels + c;
  }
  // The other way round.
  OREPA_HD int64_t logical(int64_t i) const {
    if (channels == 1) return i;
    const int64_t c = i % channels, p = i / channels % plane;
    return (i / (channels * plane) * channels + c) * plane + p;
  }
};

// Where the label of a position stands (AxisView::position's i). Labels follow the logical order of
// the scores without their axis; positions, the order in memory.
struct LabelOrder {
  int64_t channels = 1, plane = 1;  // of the positions, where a channel axis is left among them
  LogicalOrder labels{Shape{}};

  LabelOrder() = default;
  LabelOrder(const Shape& scores, int axis, const Shape& labels) : labels(labels) {
    if (scores.rank() != 4 || axis == 1) return;
    channels = scores[1];
    plane = axis == 0 ? scores[2] * scores[3] : scores[2] * scores[3] / scores[axis];
  }
  OREPA_HD int64_t stored(int64_t i) const {
    if (channels == 1) return labels.stored(i);
    const int64_t c = i % channels, p = i / channels % plane, n = i / (channels * plane);
    return labels.stored((n * channels + c) * plane + p);
  }
};

}  // namespace orepa
