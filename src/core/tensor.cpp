#include "orepa/tensor.h"

#include <algorithm>

namespace orepa {
namespace {

// Stored (outer, inner, plane)[o][p][c] against ordered [o][c][p]: axis 1 moves from innermost to
// its place.
template <class Copy>
void for_each_pair(const Shape& shape, Copy copy) {
  const int64_t outer = shape[0], channels = shape[1], plane = shape[2] * shape[3];
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t p = 0; p < plane; ++p)
        copy((o * plane + p) * channels + c, (o * channels + c) * plane + p);
}

}  // namespace

int64_t Shape::count(int begin, int end) const {
  int64_t product = 1;
  for (int axis = begin; axis < end; ++axis) product *= extents_[axis];
  return product;
}

bool Shape::fits(int64_t most) const {
  int64_t product = 1;
  for (const int64_t extent : extents_) {
    if (extent <= 0 || extent > most / product) return false;
    product *= extent;
  }
  return true;
}

Shape Shape::squeezed() const {
  std::vector<int64_t> extents = extents_;
  std::erase(extents, 1);
  return Shape(std::move(extents));
}

std::string Shape::str() const {
  if (extents_.empty()) return "scalar";
  std::string out;
  for (const int64_t extent : extents_) out += (out.empty() ? "" : " x ") + std::to_string(extent);
  return out;
}

void from_caffe_order(const Shape& shape, const float* from, float* to) {
  if (shape.rank() != 4)
    std::copy(from, from + shape.count(), to);
  else
    for_each_pair(shape, [&](int64_t stored, int64_t ordered) { to[stored] = from[ordered]; });
}

void to_caffe_order(const Shape& shape, const float* from, float* to) {
  if (shape.rank() != 4)
    std::copy(from, from + shape.count(), to);
  else
    for_each_pair(shape, [&](int64_t stored, int64_t ordered) { to[ordered] = from[stored]; });
}

}  // namespace orepa
