#include <algorithm>
#include <vector>

#include "orepa/numbers.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

// Along height or width: the first pixel of the top lies on the first of the bottom, the last one
// on the last.
struct Axis {
  int64_t in, out;  // pixels, `in` without those that are cropped
  int64_t begin;    // how many are cropped in front
  float step;       // pixels of the bottom from one of the top to the next

  // Pixel o of the top lies between `low` and `high`, this share of the way.
  struct Between {
    int64_t low, high;
    float share;
  };
  OREPA_HD Between between(int64_t o) const {
    const float exact = step * static_cast<float>(o);
    const auto low = static_cast<int64_t>(exact);
    return {low, low < in - 1 ? low + 1 : low, exact - static_cast<float>(low)};
  }
  // What pixel o of the top has of pixel i of the bottom.
  OREPA_HD float share(int64_t o, int64_t i) const {
    const Between at = between(o);
    return (at.low == i ? 1 - at.share : 0.0f) + (at.high == i ? at.share : 0.0f);
  }
};

// Row r is some neighbours in a row of pixels of y.
struct Interpolate {
  static constexpr int64_t kNeighbours = 8;
  Axis h, w;
  int64_t height, width, channels;  // of x
  Numbers x, y;
  OREPA_HD int64_t pieces() const { return (w.out + kNeighbours - 1) / kNeighbours; }  // of a row

  template <class Team>
  OREPA_HD void operator()(int64_t r, Team team) const {
    const int64_t row = r / pieces(), begin = r % pieces() * kNeighbours;
    const int64_t past = begin + kNeighbours < w.out ? begin + kNeighbours : w.out;
    const Axis::Between i = h.between(row % h.out);
    const int64_t image = row / h.out * height + h.begin;
    for (int64_t o = begin; o < past; ++o)
      pixel((image + i.low) * width, (image + i.high) * width, i.share, w.between(o),
            (row * w.out + o) * channels, team);
  }

 private:
  // `upper`, `lower`: the pixels where the two rows of x begin.
  template <class Team>
  OREPA_HD void pixel(int64_t upper, int64_t lower, float down, Axis::Between j, int64_t to,
                      Team team) const {
    const Numbers from = x, out = y;
    const int64_t low = (w.begin + j.low) * channels, high = (w.begin + j.high) * channels;
    upper *= channels;
    lower *= channels;
    const float right = j.share;
#pragma omp simd
    for (int64_t c = team.first(); c < channels; c += team.step()) {
      const float above = (1 - right) * from[upper + low + c] + right * from[upper + high + c];
      const float below = (1 - right) * from[lower + low + c] + right * from[lower + high + c];
      out.set(to + c, (1 - down) * above + down * below);
    }
  }
};

// For each pixel of the bottom: the first pixel of the top that has something of it, and how much
// it and those behind it have, as numbers that stand in memory.
struct Shares {
  int64_t most = 0;  // of the top, for one of the bottom
  const float* table = nullptr;
  OREPA_HD int64_t first(int64_t i) const { return static_cast<int64_t>(table[i * (most + 1)]); }
  OREPA_HD float share(int64_t i, int64_t t) const { return table[i * (most + 1) + 1 + t]; }

  // The pixels of the top that have something of pixel i.
  struct Range {
    int64_t first, past;
  };
  static std::vector<Range> ranges(const Axis& axis) {
    std::vector<Range> ranges(static_cast<size_t>(axis.in), Range{axis.out, 0});
    for (int64_t o = 0; o < axis.out; ++o) {
      const Axis::Between at = axis.between(o);
      for (const int64_t i : {at.low, at.high}) {
        if (axis.share(o, i) == 0) continue;
        Range& range = ranges[static_cast<size_t>(i)];
        range = {std::min(range.first, o), o + 1};
      }
    }
    return ranges;
  }
  static int64_t most_of(const Axis& axis) {
    int64_t most = 0;
    for (const Range& range : ranges(axis)) most = std::max(most, range.past - range.first);
    return most;
  }
  static std::vector<float> table_of(const Axis& axis, int64_t most) {
    std::vector<float> table;
    int64_t i = 0;
    for (const Range& range : ranges(axis)) {
      const int64_t first = std::min(range.first, axis.out - most);
      table.push_back(static_cast<float>(first));
      for (int64_t t = 0; t < most; ++t) table.push_back(axis.share(first + t, i));
      ++i;
    }
    return table;
  }
};

// Row r is a pixel of x: it adds up its shares in the pixels of y that have something of it.
struct PixelGradient {
  static constexpr int64_t kColumns = 32;  // channels that are summed at once
  Axis h, w;
  Shares of_h, of_w;
  int64_t height, width, channels;  // of x
  Numbers dy, dx;

  template <class Team>
  OREPA_HD void operator()(int64_t r, Team team) const {
    const int64_t image = r / width / height, i = r / width % height - h.begin;
    const int64_t j = r % width - w.begin;
    const bool is_inside = i >= 0 && i < h.in && j >= 0 && j < w.in;
    int64_t begin = 0;
    for (; begin + kColumns <= channels; begin += kColumns)
      sum<true>(image, i, j, is_inside, r * channels, begin, team);
    if (begin < channels) sum<false>(image, i, j, is_inside, r * channels, begin, team);
  }

 private:
  // Of kColumns channels, whose sums stay in registers, or of those that are left.
  template <bool kAll, class Team>
  OREPA_HD void sum(int64_t image, int64_t i, int64_t j, bool is_inside, int64_t to, int64_t begin,
                    Team team) const {
    const int64_t columns = kAll ? kColumns : channels - begin;
    const Numbers from = dy, out = dx;
    float sums[kColumns];
    for (int64_t c = team.first(); c < columns; c += team.step()) sums[c] = 0;
    for (int64_t down = 0; is_inside && down < of_h.most; ++down)
      for (int64_t right = 0; right < of_w.most; ++right) {
        const float share = of_h.share(i, down) * of_w.share(j, right);
        const int64_t pixel =
            (image * h.out + of_h.first(i) + down) * w.out + of_w.first(j) + right;
        const int64_t at = pixel * channels + begin;
#pragma omp simd
        for (int64_t c = team.first(); c < columns; c += team.step())
          sums[c] += share * from[at + c];
      }
#pragma omp simd
    for (int64_t c = team.first(); c < columns; c += team.step()) out.set(to + begin + c, sums[c]);
  }
};

Axis axis_of(const Options& options, int64_t pixels, const std::string& extent) {
  Axis axis{};
  axis.begin = -options.integer("pad_beg");
  axis.in = pixels - axis.begin + options.integer("pad_end");
  axis.out = options.integer(extent);
  if (axis.out == 0) {
    const int64_t shrunk = (axis.in - 1) / options.integer("shrink_factor") + 1;
    axis.out = shrunk + (shrunk - 1) * (options.integer("zoom_factor") - 1);
  }
  axis.step = axis.out > 1 ? static_cast<float>(axis.in - 1) / static_cast<float>(axis.out - 1) : 0;
  return axis;
}

class Interp : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("interp_param");
    setup.takes_bfloat16();
    const Shape& x = setup.input(0);
    setup.require(x.rank() == 4, "bottom must be N x C x H x W, got ", x.str());
    const bool size = options.has("height") && options.has("width");
    const bool factor = options.has("zoom_factor") || options.has("shrink_factor");
    setup.require(size != factor && options.has("height") == options.has("width"),
                  "needs either height and width or factors, zoom_factor, shrink_factor or both");
    for (const char* field : {"height", "width", "zoom_factor", "shrink_factor"})
      setup.require(!options.has(field) || options.integer(field) > 0, field,
                    " must be positive, got ", options.integer(field));
    for (const char* field : {"pad_beg", "pad_end"})
      setup.require(options.integer(field) <= 0, field,
                    " must be 0 or less: images are cropped, not padded; got ",
                    options.integer(field));
    setup.require(-options.integer("pad_beg") - options.integer("pad_end") < std::min(x[2], x[3]),
                  "pad_beg and pad_end leave nothing of the bottom ", x.str());
    h_ = axis_of(options, x[2], "height");
    w_ = axis_of(options, x[3], "width");
    shares_of_h_ = declare_shares(setup, h_, most_of_h_);
    shares_of_w_ = declare_shares(setup, w_, most_of_w_);
    return {{x[0], x[1], h_.out, w_.out}};
  }
  void forward(Pass& pass) override {
    const Tensor x = pass.input(0), y = pass.output(0);
    const int64_t channels = x.shape[1];
    const Interpolate interpolate{h_, w_, x.shape[2], x.shape[3], channels, x, y};
    parallel_teams(pass.device(), x.shape[0] * h_.out * interpolate.pieces(), interpolate);
  }
  void backward(Pass& pass) override {
    const Tensor dx = pass.input_gradient(0);
    const int64_t channels = dx.shape[1];
    parallel_teams(pass.device(), dx.count() / channels,
                   PixelGradient{h_,
                                 w_,
                                 {most_of_h_, pass.floats(shares_of_h_)},
                                 {most_of_w_, pass.floats(shares_of_w_)},
                                 dx.shape[2],
                                 dx.shape[3],
                                 channels,
                                 pass.output_gradient(0),
                                 dx});
  }

 private:
  static Handle declare_shares(Setup& setup, const Axis& axis, int64_t& most) {
    most = Shares::most_of(axis);
    return setup.constant({axis.in, most + 1},
                          [axis, most] { return Shares::table_of(axis, most); });
  }
  Axis h_{}, w_{};
  int64_t most_of_h_ = 0, most_of_w_ = 0;
  Handle shares_of_h_ = -1, shares_of_w_ = -1;
};

void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("interp_param");
  const Shape &x = layer.input_shapes[0], &y = layer.output_shape;
  std::string image = layer.inputs[0];
  const int64_t begin = -options.integer("pad_beg"), end = options.integer("pad_end");
  if (begin > 0 || end < 0)
    image = layer.before(
        "Slice", {image, layer.integers("begin", {begin, begin}),
                  layer.integers("end", {x[2] + end, x[3] + end}), layer.integers("axes", {2, 3})});
  layer.last("Resize", {image, "", "", layer.integers("sizes", y.extents())},
             {{"mode", std::string("linear")},
              {"coordinate_transformation_mode", std::string("align_corners")}});
}

OREPA_LAYER(Interp, "images of another size, interpolated bilinearly, with corners on corners")
    .keeps_channels()
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
