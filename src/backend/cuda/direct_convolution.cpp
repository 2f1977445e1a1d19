#include "backend/cuda/direct_convolution.h"

#include "backend/numbers_of.h"
#include "orepa/parallel.h"

namespace orepa::cuda {
namespace {

struct Extents {
  int64_t n, c, h, w;
  explicit Extents(const Shape& shape) : n(shape[0]), c(shape[1]), h(shape[2]), w(shape[3]) {}
  int64_t pixels() const { return n * h * w; }
};

// The geometry as functors hold it.
struct Windows {
  Extents x, kernel, y;
  int64_t stride[2], pad[2], dilation[2];
  int64_t outputs;  // of a group

  explicit Windows(const ConvolutionGeometry& g)
      : x(g.input),
        kernel(g.kernel),
        y(g.output()),
        stride{g.stride[0], g.stride[1]},
        pad{g.pad[0], g.pad[1]},
        dilation{g.dilation[0], g.dilation[1]},
        outputs(g.kernel[0] / g.groups) {}

  // The first number of a pixel of x under tap (kh, kw) of the window of pixel `out` of y; none,
  // -1, where the tap lies in the padding.
  OREPA_HD int64_t under(int64_t out, int64_t kh, int64_t kw) const {
    const int64_t h = out / y.w % y.h * stride[0] - pad[0] + kh * dilation[0];
    const int64_t w = out % y.w * stride[1] - pad[1] + kw * dilation[1];
    if (h < 0 || h >= x.h || w < 0 || w >= x.w) return -1;
    return ((out / (y.w * y.h) * x.h + h) * x.w + w) * x.c;
  }
  // The output along an axis whose window has pixel `in` of x under its tap `k`; none, -1.
  OREPA_HD int64_t over(int64_t in, int64_t k, int axis, int64_t extent) const {
    const int64_t start = in + pad[axis] - k * dilation[axis];
    if (start < 0 || start % stride[axis] != 0 || start / stride[axis] >= extent) return -1;
    return start / stride[axis];
  }
  OREPA_HD int64_t tap(int64_t o, int64_t kh, int64_t kw) const {
    return ((o * kernel.h + kh) * kernel.w + kw) * kernel.c;
  }
};

// Row r is a pixel of y, column o one of its channels.
struct Forward {
  Windows windows;
  Numbers x, kernel, y;
  const float* bias;
  bool relu;
  OREPA_HD void operator()(int64_t r, int64_t o) const {
    float sum = 0;
    for (int64_t kh = 0; kh < windows.kernel.h; ++kh)
      for (int64_t kw = 0; kw < windows.kernel.w; ++kw) {
        const int64_t pixel = windows.under(r, kh, kw);
        if (pixel < 0) continue;
        const int64_t from = pixel + o / windows.outputs * windows.kernel.c;
        const int64_t tap = windows.tap(o, kh, kw);
        for (int64_t i = 0; i < windows.kernel.c; ++i) sum += x[from + i] * kernel[tap + i];
      }
    if (bias) sum += bias[o];
    y.set(r * windows.y.c + o, relu && sum < 0 ? 0 : sum);
  }
};

// Row r is a pixel of x, column c one of its channels.
struct BackwardData {
  Windows windows;
  Numbers dy, kernel, dx;
  OREPA_HD void operator()(int64_t r, int64_t c) const {
    const int64_t group = c / windows.kernel.c, i = c % windows.kernel.c;
    const int64_t h = r / windows.x.w % windows.x.h, w = r % windows.x.w;
    float sum = 0;
    for (int64_t kh = 0; kh < windows.kernel.h; ++kh) {
      const int64_t oh = windows.over(h, kh, 0, windows.y.h);
      if (oh < 0) continue;
      for (int64_t kw = 0; kw < windows.kernel.w; ++kw) {
        const int64_t ow = windows.over(w, kw, 1, windows.y.w);
        if (ow < 0) continue;
        const int64_t n = r / (windows.x.w * windows.x.h);
        const int64_t pixel = ((n * windows.y.h + oh) * windows.y.w + ow) * windows.y.c;
        for (int64_t o = group * windows.outputs; o < (group + 1) * windows.outputs; ++o)
          sum += dy[pixel + o] * kernel[windows.tap(o, kh, kw) + i];
      }
    }
    dx.set(r * windows.x.c + c, sum);
  }
};

// What pixel `out` of y adds to the gradient of number r of the kernel.
struct KernelTerm {
  Windows windows;
  Numbers x, dy;
  OREPA_HD float operator()(int64_t r, int64_t out) const {
    const int64_t i = r % windows.kernel.c, tap = r / windows.kernel.c;
    const int64_t kw = tap % windows.kernel.w, kh = tap / windows.kernel.w % windows.kernel.h;
    const int64_t o = tap / (windows.kernel.w * windows.kernel.h);
    const int64_t pixel = windows.under(out, kh, kw);
    if (pixel < 0) return 0;
    return dy[out * windows.y.c + o] * x[pixel + o / windows.outputs * windows.kernel.c + i];
  }
};

}  // namespace

void direct_forward(const Device& device, const ConvolutionGeometry& g, const void* x,
                    const void* kernel, const float* bias, void* y) {
  const Windows windows(g);
  parallel_rows(device, windows.y.pixels(), windows.y.c,
                Forward{windows, numbers_of(x, g.type), numbers_of(kernel, g.type),
                        numbers_of(y, g.type), bias, g.relu});
}

void direct_backward_data(const Device& device, const ConvolutionGeometry& g, const void* dy,
                          const void* kernel, void* dx) {
  const Windows windows(g);
  parallel_rows(device, windows.x.pixels(), windows.x.c,
                BackwardData{windows, numbers_of(dy, g.type), numbers_of(kernel, g.type),
                             numbers_of(dx, g.type)});
}

void direct_backward_kernel(const Device& device, const ConvolutionGeometry& g, const void* x,
                            const void* dy, float* dkernel, bool accumulate) {
  const Windows windows(g);
  reduce_rows(device, g.kernel.count(), windows.y.pixels(),
              KernelTerm{windows, numbers_of(x, g.type), numbers_of(dy, g.type)}, dkernel,
              accumulate);
}

}  // namespace orepa::cuda
