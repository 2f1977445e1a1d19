#include "backend/pooling_loops.h"

#include <cstdint>
#include <limits>

#include "backend/numbers_of.h"
#include "backend/pool_windows.h"
#include "orepa/error.h"
#include "orepa/parallel.h"

namespace orepa {
namespace {

constexpr float kLowest = std::numeric_limits<float>::lowest();

struct Windows {
  PoolWindows h, w;
  int64_t channels;
  explicit Windows(const PoolingGeometry& g)
      : h(PoolWindows::along(g, 0)), w(PoolWindows::along(g, 1)), channels(g.input[1]) {}
};

// Row r is a pixel of y.
struct Maximum {
  Windows windows;
  Numbers x, y;
  int32_t* winner;  // the pixel in its plane, -1 for none; null: nobody asks
  OREPA_HD void operator()(int64_t r, int64_t c) const {
    const PoolWindows &h = windows.h, &w = windows.w;
    const int64_t plane = r / (h.out * w.out) * h.in * w.in;
    const int64_t oh = r / w.out % h.out, ow = r % w.out;
    float best = kLowest;  // where there is no pixel
    int64_t position = -1;
    for (int64_t i = h.begin(oh); i < h.end(oh); ++i)
      for (int64_t j = w.begin(ow); j < w.end(ow); ++j) {
        const int64_t pixel = i * w.in + j;
        const float value = x[(plane + pixel) * windows.channels + c];
        // NaN wins, so that it is seen.
        if (position < 0 || value > best || value != value) {
          best = value;
          position = pixel;
        }
      }
    y.set(r * windows.channels + c, best);
    if (winner) winner[r * windows.channels + c] = static_cast<int32_t>(position);
  }
};

struct Mean {
  Windows windows;
  Numbers x, y;
  OREPA_HD void operator()(int64_t r, int64_t c) const {
    const PoolWindows &h = windows.h, &w = windows.w;
    const int64_t plane = r / (h.out * w.out) * h.in * w.in;
    const int64_t oh = r / w.out % h.out, ow = r % w.out;
    float sum = 0;
    for (int64_t i = h.begin(oh); i < h.end(oh); ++i)
      for (int64_t j = w.begin(ow); j < w.end(ow); ++j)
        sum += x[(plane + i * w.in + j) * windows.channels + c];
    y.set(r * windows.channels + c, sum / static_cast<float>(h.counted(oh) * w.counted(ow)));
  }
};

// Row r is a pixel of x.
struct MeanGradient {
  Windows windows;
  Numbers dy, dx;
  OREPA_HD void operator()(int64_t r, int64_t c) const {
    const PoolWindows &h = windows.h, &w = windows.w;
    const int64_t pixel = r % (h.in * w.in), plane = r / (h.in * w.in) * h.out;
    const int64_t i = pixel / w.in, j = pixel % w.in;
    float sum = 0;
    for (int64_t oh = h.first(i); oh < h.past(i); ++oh)
      for (int64_t ow = w.first(j); ow < w.past(j); ++ow)
        sum += dy[((plane + oh) * w.out + ow) * windows.channels + c] /
               static_cast<float>(h.counted(oh) * w.counted(ow));
    dx.set(r * windows.channels + c, sum);
  }
};

class Pooling : public PoolingPlan {
 public:
  Pooling(const Device& device, const PoolingGeometry& g) : device_(device), g_(g), windows_(g) {}

  int64_t saved_bytes() const override {
    return g_.training && is_maximum() ? g_.output.count() * int64_t{sizeof(int32_t)} : 0;
  }
  int64_t backward_workspace() const override { return 0; }

  void forward(const void* x, void* y, void* saved) override {
    const int64_t rows = g_.output.count() / windows_.channels;
    if (is_maximum())
      parallel_rows(device_, rows, windows_.channels,
                    Maximum{windows_, numbers(x), numbers(y),
                            g_.training ? static_cast<int32_t*>(saved) : nullptr});
    else
      parallel_rows(device_, rows, windows_.channels, Mean{windows_, numbers(x), numbers(y)});
  }

  void backward(const void* dy, const void* saved, void* dx, void*) override {
    const int64_t rows = g_.input.count() / windows_.channels;
    if (is_maximum())
      parallel_rows(device_, rows, windows_.channels,
                    WinnerGradient{windows_.h, windows_.w, windows_.channels, numbers(dy),
                                   numbers(dx), static_cast<const int32_t*>(saved)});
    else
      parallel_rows(device_, rows, windows_.channels,
                    MeanGradient{windows_, numbers(dy), numbers(dx)});
  }

 private:
  bool is_maximum() const { return g_.method == PoolingGeometry::Method::kMax; }
  Numbers numbers(const void* data) const { return numbers_of(data, g_.type); }

  const Device& device_;
  PoolingGeometry g_;
  Windows windows_;
};

}  // namespace

std::unique_ptr<PoolingPlan> make_pooling_loops(const Device& device,
                                                const PoolingGeometry& geometry) {
  const int64_t pixels = geometry.input.count(2, 4);
  require(pixels <= std::numeric_limits<int32_t>::max(), "pooling of ", geometry.input.str(),
          ": a plane has ", pixels, " pixels, and at most ", std::numeric_limits<int32_t>::max(),
          " can be numbered");
  return std::make_unique<Pooling>(device, geometry);
}

}  // namespace orepa
