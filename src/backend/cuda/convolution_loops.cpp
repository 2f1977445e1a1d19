#include "backend/cuda/convolution_loops.h"

#include "backend/numbers_of.h"
#include "orepa/parallel.h"

namespace orepa::cuda {
namespace {

struct Pack {
  const float* from;
  Numbers to;
  OREPA_HD void operator()(int64_t i) const { to.set(i, from[i]); }
};

struct BiasAndRelu {
  Numbers y;
  int64_t channels;
  const float* bias;  // null: none
  bool relu;
  OREPA_HD void operator()(int64_t pixel, int64_t o) const {
    const int64_t i = pixel * channels + o;
    const float value = y[i] + (bias ? bias[o] : 0);
    y.set(i, relu && value < 0 ? 0 : value);
  }
};

struct Unpack {
  Numbers from;
  float* to;
  bool accumulate;
  OREPA_HD void operator()(int64_t i) const { to[i] = (accumulate ? to[i] : 0) + from[i]; }
};

}  // namespace

void pack_kernel(const Device& device, const ConvolutionGeometry& g, const float* kernel,
                 void* packed) {
  parallel_for(device, g.kernel.count(), Pack{kernel, numbers_of(packed, g.type)});
}

void add_bias_and_clamp(const Device& device, const ConvolutionGeometry& g, const float* bias,
                        void* y) {
  const int64_t channels = g.kernel[0];
  parallel_rows(device, g.output().count() / channels, channels,
                BiasAndRelu{numbers_of(y, g.type), channels, bias, g.relu});
}

void unpack_gradient(const Device& device, const ConvolutionGeometry& g, const void* gradient,
                     float* dkernel, bool accumulate) {
  parallel_for(device, g.kernel.count(), Unpack{numbers_of(gradient, g.type), dkernel, accumulate});
}

}  // namespace orepa::cuda
