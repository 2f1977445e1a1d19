#include "layers/pool.h"

#include <limits>

#include "backend/pool_windows.h"
#include "layers/window.h"

namespace orepa {
namespace {

// A stochastic pool (Zeiler and Fergus, ICLR 2013) of numbers that are not negative takes each
// pixel of a window with a probability in proportion to its number; in phase TEST it is what that
// is on average.
struct Windows {
  PoolWindows h, w;
  int64_t channels;

  struct Sums {
    float values, squares;
  };
  // Where window number i of a channel begins in x: its plane and channel.
  OREPA_HD int64_t plane(int64_t i) const {
    return i / channels / (h.out * w.out) * h.in * w.in * channels + i % channels;
  }
  OREPA_HD int64_t row(int64_t i) const { return i / channels / w.out % h.out; }
  OREPA_HD int64_t column(int64_t i) const { return i / channels % w.out; }
  OREPA_HD Sums sums(const Numbers& x, int64_t i) const {
    Sums sums{0, 0};
    for (int64_t a = h.begin(row(i)); a < h.end(row(i)); ++a)
      for (int64_t b = w.begin(column(i)); b < w.end(column(i)); ++b) {
        const float value = x[plane(i) + (a * w.in + b) * channels];
        sums.values += value;
        sums.squares += value * value;
      }
    return sums;
  }
};

struct DrawWinner {
  Windows windows;
  Random::Purpose random;
  int64_t first_draw;
  Numbers x, y;
  int32_t* winner;  // null: nobody asks
  OREPA_HD void operator()(int64_t i, uint64_t step) const {
    const PoolWindows &h = windows.h, &w = windows.w;
    const float threshold =
        random.at(step).uniform(static_cast<uint64_t>(first_draw + i)) * windows.sums(x, i).values;
    float sum = 0, value = 0;
    int64_t pixel = -1;
    const int64_t row = windows.row(i), column = windows.column(i);
    for (int64_t a = h.begin(row); a < h.end(row); ++a)
      for (int64_t b = w.begin(column); b < w.end(column); ++b) {
        if (pixel >= 0 && sum >= threshold) continue;
        pixel = a * w.in + b;
        value = x[windows.plane(i) + pixel * windows.channels];
        sum += value;
      }
    y.set(i, value);
    if (winner != nullptr) winner[i] = static_cast<int32_t>(pixel);
  }
};

struct WeightedMean {
  Windows windows;
  Numbers x, y;
  OREPA_HD void operator()(int64_t i) const {
    const Windows::Sums sums = windows.sums(x, i);
    y.set(i, sums.values > 0 ? sums.squares / sums.values : 0.0f);
  }
};

// Row r is a pixel of x.
struct WeightedMeanGradient {
  Windows windows;
  Numbers x, y, dy, dx;
  OREPA_HD void operator()(int64_t r, int64_t c) const {
    const PoolWindows &h = windows.h, &w = windows.w;
    const int64_t pixel = r % (h.in * w.in), plane = r / (h.in * w.in) * h.out;
    const int64_t i = pixel / w.in, j = pixel % w.in;
    float sum = 0;
    for (int64_t oh = h.first(i); oh < h.past(i); ++oh)
      for (int64_t ow = w.first(j); ow < w.past(j); ++ow) {
        const int64_t out = ((plane + oh) * w.out + ow) * windows.channels + c;
        const float values = windows.sums(x, out).values;
        if (values > 0) sum += dy[out] * (2 * x[r * windows.channels + c] - y[out]) / values;
      }
    dx.set(r * windows.channels + c, sum);
  }
};

Windows windows_of(const PoolingGeometry& g) {
  return {PoolWindows::along(g, 0), PoolWindows::along(g, 1), g.input[1]};
}

// Caffe's output extent: rounded up by default; where there is padding, a last window that would
// start beyond the image and its left padding is dropped.
int64_t output_extent(int64_t in, int64_t kernel, int64_t stride, int64_t pad, bool ceil,
                      bool padded) {
  const int64_t room = in + 2 * pad - kernel;
  int64_t out = (ceil ? (room + stride - 1) / stride : room / stride) + 1;
  if (padded && (out - 1) * stride >= in + pad) --out;
  return out;
}

}  // namespace

void Pool::setup(Setup& setup, PoolMethod method, PoolingGeometry geometry, int64_t first_draw) {
  method_ = method;
  geometry.method = method == PoolMethod::kAverage ? PoolingGeometry::Method::kAverage
                                                   : PoolingGeometry::Method::kMax;
  geometry.training = setup.backward();
  geometry_ = geometry;
  if (method != PoolMethod::kStochastic) {
    plan_ = setup.device().pooling(geometry);
    if (!setup.backward()) return;
    saved_ = setup.saved(plan_->saved_bytes());
    workspace_ = setup.scratch(Stage::kBackward, plan_->backward_workspace());
    return;
  }
  setup.require(geometry.pad == Pair{0, 0}, "pool: STOCHASTIC takes no pad, got ", geometry.pad[0],
                " x ", geometry.pad[1]);
  const int64_t pixels = geometry.input.count(2, 4);
  setup.require(pixels <= std::numeric_limits<int32_t>::max(), "a plane of ", pixels,
                " pixels is more than can be numbered");
  draws_ = setup.phase() == Phase::kTrain;
  if (!draws_) return;
  setup.draws_random();
  const BatchRows rows = setup.rows();
  const int64_t results = geometry.output.count();
  first_draw_ = first_draw + (rows.count > 0 ? results / rows.count * rows.first : 0);
  if (setup.backward()) saved_ = setup.saved(results * int64_t{sizeof(int32_t)});
}

void Pool::forward(Pass& pass, const Tensor& x, const Tensor& y) {
  void* saved = saved_ < 0 ? nullptr : pass.memory(saved_);
  if (plan_ != nullptr) return plan_->forward(x.data, y.data, saved);
  if (draws_)
    parallel_for(pass.device(), y.count(),
                 DrawWinner{windows_of(geometry_), pass.random(), first_draw_, x, y,
                            static_cast<int32_t*>(saved)},
                 pass.step());
  else
    parallel_for(pass.device(), y.count(), WeightedMean{windows_of(geometry_), x, y});
}

void Pool::backward(Pass& pass, const Tensor& x, const Tensor& y, const Tensor& dy,
                    const Tensor& dx) {
  if (plan_ != nullptr)
    return plan_->backward(dy.data, pass.memory(saved_), dx.data, pass.memory(workspace_));
  const Windows windows = windows_of(geometry_);
  const int64_t rows = dx.count() / windows.channels;
  if (draws_)
    parallel_rows(pass.device(), rows, windows.channels,
                  WinnerGradient{windows.h, windows.w, windows.channels, dy, dx,
                                 static_cast<const int32_t*>(pass.memory(saved_))});
  else
    parallel_rows(pass.device(), rows, windows.channels,
                  WeightedMeanGradient{windows, x, y, dy, dx});
}

PoolingGeometry read_pool_windows(const LayerSpec& spec, const Options& options, const Shape& x) {
  const Pair kernel = read_pair(spec, options, "kernel_size", "kernel", 0);
  const Pair stride = read_pair(spec, options, "stride", "stride", 1);
  const Pair pad = read_pair(spec, options, "pad", "pad", 0);
  if (!options.flag("global_pooling"))
    return pool_windows(spec, x, kernel, stride, pad, options.choice("round_mode") == "CEIL");
  for (const char* field : {"kernel_size", "kernel_h", "kernel_w"})
    require(!options.has(field), spec.where(), "global_pooling takes the whole image: leave ",
            field, " out");
  require(pad == Pair{0, 0} && stride == Pair{1, 1}, spec.where(),
          "global_pooling takes no pad and no stride, got pad ", pad[0], " x ", pad[1],
          " and stride ", stride[0], " x ", stride[1]);
  return pool_windows(spec, x, {x[2], x[3]}, stride, pad, true);
}

PoolingGeometry pool_windows(const LayerSpec& spec, const Shape& x, const Pair& kernel,
                             const Pair& stride, const Pair& pad, bool ceil) {
  PoolingGeometry g;
  g.input = x;
  g.kernel = kernel;
  g.stride = stride;
  g.pad = pad;
  const bool padded = pad[0] > 0 || pad[1] > 0;
  std::vector<int64_t> extents = {x[0], x[1]};
  for (int axis = 0; axis < 2; ++axis) {
    const int64_t in = x[2 + axis], size = kernel[axis], step = stride[axis], border = pad[axis];
    require(size > 0, spec.where(), "kernel_size must be positive, got ", size);
    require(step > 0, spec.where(), "stride must be positive, got ", step);
    require(border < size, spec.where(), "pad must be smaller than the kernel ", size, ", got ",
            border);
    require(size <= in + 2 * border, spec.where(), "the kernel ", size,
            " is larger than the padded bottom ", x.str());
    extents.push_back(output_extent(in, size, step, border, ceil, padded));
    require((extents.back() - 1) * step < in + border, spec.where(),
            "the last window would lie wholly outside the bottom ", x.str(),
            "; use round_mode: FLOOR or a stride no larger than the kernel");
  }
  g.output = Shape(std::move(extents));
  return g;
}

PoolMethod read_pool_method(const Options& param) {
  const std::string method = param.choice("pool");
  return method == "MAX"   ? PoolMethod::kMax
         : method == "AVE" ? PoolMethod::kAverage
                           : PoolMethod::kStochastic;
}

}  // namespace orepa
