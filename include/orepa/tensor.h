// Shapes, types of numbers, and Tensor: a view of numbers in some device's memory.
//
// Logical axes are always N,C,H,W for activations and O,I,kh,kw for kernels. Physically a tensor of
// rank 4 is stored with axis 1 innermost (NHWC, OHWI); a tensor of any other rank is row-major.
// Only file input and output converts to and from Caffe's order, in which every rank is row-major.
#pragma once
#include <compare>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "orepa/error.h"

namespace orepa {

// How a number is stored. bfloat16 is the upper half of a float32: its range with 8 bits of
// precision. It is for activations and their gradients alone (include/orepa/numbers.h); everything
// else is float32.
enum class DType { kFloat32, kBFloat16 };
constexpr int64_t size_of(DType type) { return type == DType::kFloat32 ? 4 : 2; }

// Extents of a tensor, outermost logical axis first. A scalar has rank 0 and count 1.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> extents) : extents_(extents) {}
  explicit Shape(std::vector<int64_t> extents) : extents_(std::move(extents)) {}

  int rank() const { return static_cast<int>(extents_.size()); }
  // REQUIRES: -rank() <= axis < rank(); a negative axis counts from the end.
  int64_t operator[](int axis) const { return extents_[axis < 0 ? axis + rank() : axis]; }
  const std::vector<int64_t>& extents() const { return extents_; }
  // The product of all extents; the two-argument form takes axes [begin, end) only.
  int64_t count() const { return count(0, rank()); }
  int64_t count(int begin, int end) const;
  // Whether every extent is positive and the count is at most `most`; nothing overflows on the way.
  bool fits(int64_t most) const;
  int64_t bytes(DType type = DType::kFloat32) const { return count() * size_of(type); }
  std::string str() const;  // "16 x 3 x 224 x 224", "scalar" for rank 0

  // Without its axes of length 1: files and nets may differ in those.
  Shape squeezed() const;

  bool operator==(const Shape&) const = default;
  auto operator<=>(const Shape&) const = default;

 private:
  std::vector<int64_t> extents_;
};

// Does not own its memory: whoever made it (Parameters, the arena of a Net, a test) does.
struct Tensor {
  void* data = nullptr;  // device memory; null where the tensor does not exist
  Shape shape;
  DType type = DType::kFloat32;

  int64_t count() const { return shape.count(); }
  int64_t bytes() const { return shape.bytes(type); }
  explicit operator bool() const { return data != nullptr; }
  // Throws Error where it holds anything but float32.
  float* floats() const {
    require(type == DType::kFloat32, "numbers in bfloat16 were taken for float32");
    return static_cast<float*>(data);
  }
};

// Between Caffe's order (row-major at every rank) and ours, in host memory. `from` and `to` hold
// shape.count() numbers each and must not overlap.
void from_caffe_order(const Shape& shape, const float* from, float* to);
void to_caffe_order(const Shape& shape, const float* from, float* to);

}  // namespace orepa
