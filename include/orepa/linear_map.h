// LinearMap: what a convolution with zero padding does to feature maps, in double. Layers that are
// linear in inference say which map they are (see roles.h), and `convert` combines the maps.
//
//   y[o, h, w] = bias[o] + sum over i, taps of kernel[o, tap, i] x[i, h stride - pad + tap
//   dilation]
//
// Every linear layer is one: BatchNorm with running statistics is a depthwise 1 x 1, average
// pooling a depthwise K x K of 1 / K^2, the identity a depthwise 1 x 1 of ones, BatchNormPad a
// depthwise 1 x 1 with padding (what it adds outside is its bias, which is what a zero input
// gives), an InnerProduct a kernel of the image's size. What is N x C is an image of one pixel.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace orepa {

// The geometry of a map: all that says whether maps combine, into what, and at which cost.
struct LinearShape {
  // Along height or width. Taps outside of the padded image do not exist.
  struct Axis {
    int64_t size = 1, stride = 1, pad = 0, dilation = 1;
    int64_t reach() const { return (size - 1) * dilation + 1; }
    int64_t output(int64_t input) const { return (input + 2 * pad - reach()) / stride + 1; }
  };

  int64_t outputs = 0, inputs = 0, groups = 1;
  std::array<Axis, 2> axes;
  bool biased = false;

  int64_t taps() const { return axes[0].size * axes[1].size; }
  int64_t inputs_per_group() const { return inputs / groups; }
  int64_t weights() const { return outputs * taps() * inputs_per_group(); }
  // Each channel by itself, pixel by pixel, as BatchNorm and Scale work; it may pad.
  bool is_channelwise() const;
  // Whether the one window is the whole image, as an InnerProduct's is.
  bool covers(const std::array<int64_t, 2>& image) const;

  static LinearShape identity(int64_t channels);
};

struct LinearMap : LinearShape {
  LinearMap() = default;
  explicit LinearMap(const LinearShape& shape);  // of zeros

  std::vector<double> kernel;  // outputs x taps x inputs / groups
  std::vector<double> bias;    // outputs, or empty: not biased

  static LinearMap identity(int64_t channels);
};

}  // namespace orepa
