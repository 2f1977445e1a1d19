// LinearMap: what a convolution with zero padding does to feature maps, and the two ways in which
// such maps combine into one: one behind the other, and side by side. In double.
//
//   y[o, h, w] = bias[o] + sum over i, taps of kernel[o, tap, i] x[i, h stride - pad + tap
//   dilation]
//
// Every linear layer is one: BatchNorm with running statistics is a depthwise 1 x 1, average
// pooling a depthwise K x K of 1 / K^2, the identity a depthwise 1 x 1 of ones, BatchNormPad a
// depthwise 1 x 1 with padding (what it adds outside is its bias, which is what a zero input
// gives).
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace orepa {

struct LinearMap {
  // Along height or width. Taps outside of the padded image do not exist.
  struct Axis {
    int64_t size = 1, stride = 1, pad = 0, dilation = 1;
    int64_t reach() const { return (size - 1) * dilation + 1; }
    int64_t output(int64_t input) const { return (input + 2 * pad - reach()) / stride + 1; }
  };

  int64_t outputs = 0, inputs = 0, groups = 1;
  std::array<Axis, 2> axes;
  std::vector<double> kernel;  // outputs x taps x inputs / groups
  std::vector<double> bias;    // outputs, or empty: none

  int64_t taps() const { return axes[0].size * axes[1].size; }
  int64_t inputs_per_group() const { return inputs / groups; }
  // Each channel by itself, pixel by pixel, without padding: what BatchNorm and Scale are.
  bool is_channelwise() const;

  static LinearMap identity(int64_t channels);
};

// Why `second` behind `first` is no single map that is exact at the borders too; empty if it is
// one: `second` must not pad, unless all that it could see there is zero in either order.
std::string cannot_chain(const LinearMap& first, const LinearMap& second);
LinearMap chain(const LinearMap& first, const LinearMap& second);

// One term of a sum.
struct Term {
  const LinearMap* map;
  double factor;
};
// Why the sum is no single map; empty if it is one. `input` and `output` are the extents of the
// image.
std::string cannot_add(const std::vector<Term>& terms, const std::array<int64_t, 2>& input,
                       const std::array<int64_t, 2>& output);
LinearMap add(const std::vector<Term>& terms);

}  // namespace orepa
