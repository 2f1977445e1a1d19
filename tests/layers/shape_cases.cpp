// Rows of the harness: layers that move numbers, cut tensors into parts or put them together, each
// with a reference by indices in Caffe's order.
#include <algorithm>
#include <cmath>

#include "tests/layers/check_layer.h"

namespace orepa {
namespace {

using Array = std::vector<double>;
using Index = std::vector<int64_t>;
using Rank = std::vector<std::vector<std::pair<double, int64_t>>>;  // numbers and their indices

// A layer named "it" with the tops "y0", "y1", ...
std::string layer(const std::string& type, const std::string& fields = "", int tops = 1) {
  std::string text = "layer { name: \"it\" type: \"" + type + "\" ";
  for (int o = 0; o < tops; ++o) text += "top: \"y" + std::to_string(o) + "\" ";
  return text + fields + " }";
}

int64_t at(const Shape& shape, const Index& index) {
  int64_t i = 0;
  for (int axis = 0; axis < shape.rank(); ++axis) i = i * shape[axis] + index[axis];
  return i;
}

// Visits every index of the shape, row-major.
void each_index(const Shape& shape, const std::function<void(const Index&)>& visit) {
  Index index(shape.rank(), 0);
  for (int64_t i = 0; i < shape.count(); ++i) {
    int64_t rest = i;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      index[axis] = rest % shape[axis];
      rest /= shape[axis];
    }
    visit(index);
  }
}

// Where a number of the top stands in the bottom.
using Source = std::function<Index(Index)>;

Array moved(const Array& x, const Shape& from, const Shape& to, const Source& source) {
  Array y;
  each_index(to, [&](const Index& index) { y.push_back(x[at(from, source(index))]); });
  return y;
}

// A row whose top has the shape `y` and takes each number from somewhere in bottom 0.
LayerCase moves(const std::string& name, const std::string& text, std::vector<Shape> bottoms,
                const Shape& y, const Source& source) {
  LayerCase row{name, text, {}};
  for (const Shape& shape : bottoms) row.inputs.push_back({shape});
  row.expected = [=, x = bottoms[0]](const Arrays& in, const Arrays&) {
    return Arrays{moved(in[0], x, y, source)};
  };
  return row;
}

// `extents`: of the tops along the axis.
LayerCase slice(const std::string& name, const Shape& x, const std::string& fields, int axis,
                const std::vector<int64_t>& extents) {
  LayerCase row{name,
                layer("Slice", "slice_param { " + fields + " }", static_cast<int>(extents.size())),
                {{x}}};
  row.expected = [=](const Arrays& in, const Arrays&) {
    Arrays tops;
    int64_t begin = 0;
    for (const int64_t extent : extents) {
      std::vector<int64_t> shape = x.extents();
      shape[axis] = extent;
      tops.push_back(moved(in[0], x, Shape(shape), [&](Index index) {
        index[axis] += begin;
        return index;
      }));
      begin += extent;
    }
    return tops;
  };
  return row;
}

LayerCase split(const std::string& name, const Shape& x, int tops) {
  LayerCase row{name, layer("Split", "", tops), {{x}}};
  row.expected = [=](const Arrays& in, const Arrays&) { return Arrays(tops, in[0]); };
  return row;
}

// The numbers stay in their order.
LayerCase reshape(const std::string& name, const Shape& x, const std::string& fields) {
  LayerCase row{name, layer("Reshape", "reshape_param { " + fields + " }"), {{x}}};
  row.expected = [](const Arrays& in, const Arrays&) { return in; };
  return row;
}

LayerCase crop(const std::string& name, const Shape& x, const Shape& size,
               const std::string& fields, const Shape& y, const Index& offset) {
  return moves(name, layer("Crop", "crop_param { " + fields + " }"), {x, size}, y,
               [=](Index index) {
                 for (size_t axis = 0; axis < index.size(); ++axis) index[axis] += offset[axis];
                 return index;
               });
}

LayerCase permute(const std::string& name, const Shape& x, const std::string& fields,
                  const std::vector<int64_t>& order) {
  std::vector<int64_t> extents;
  for (const int64_t axis : order) extents.push_back(x[static_cast<int>(axis)]);
  return moves(name, layer("Permute", "permute_param { " + fields + " }"), {x}, Shape(extents),
               [=](const Index& index) {
                 Index source(index.size());
                 for (size_t a = 0; a < order.size(); ++a) source[order[a]] = index[a];
                 return source;
               });
}

LayerCase tile(const std::string& name, const Shape& x, int64_t axis, int tiles) {
  const int64_t positive = axis < 0 ? axis + x.rank() : axis;
  std::vector<int64_t> extents = x.extents();
  extents[positive] *= tiles;
  return moves(name, layer("Tile", text("tile_param { axis: ", axis, " tiles: ", tiles, " }")), {x},
               Shape(extents), [=](Index index) {
                 index[positive] %= x[static_cast<int>(positive)];
                 return index;
               });
}

LayerCase shuffle_channel(const std::string& name, const Shape& x, int64_t groups) {
  return moves(name, layer("ShuffleChannel", text("shuffle_channel_param { group: ", groups, " }")),
               {x}, x, [=](Index index) {
                 index[1] = index[1] % groups * (x[1] / groups) + index[1] / groups;
                 return index;
               });
}

LayerCase upsample(const std::string& name, const Shape& x, int64_t scale) {
  return moves(name, layer("Upsample", text("upsample_param { scale: ", scale, " }")), {x},
               {x[0], x[1], x[2] * scale, x[3] * scale}, [=](Index index) {
                 index[2] /= scale;
                 index[3] /= scale;
                 return index;
               });
}

struct Windows {
  Pair kernel, stride{1, 1}, pad{0, 0}, dilation{1, 1};
};

// Every number of the bottom is spread over a window of the top.
LayerCase deconvolution(const std::string& name, const std::string& fields, const Shape& x,
                        int64_t outputs, int64_t groups, bool bias, const Windows& w) {
  LayerCase row{name, layer("Deconvolution", "convolution_param { " + fields + " }"), {{x}}};
  const auto extent = [&](int axis) {
    return w.stride[axis] * (x[2 + axis] - 1) + w.dilation[axis] * (w.kernel[axis] - 1) + 1 -
           2 * w.pad[axis];
  };
  const Shape y{x[0], outputs, extent(0), extent(1)};
  row.expected = [=](const Arrays& in, const Arrays& p) {
    const int64_t inputs_each = x[1] / groups, outputs_each = outputs / groups;
    const Shape kernel{x[1], outputs_each, w.kernel[0], w.kernel[1]};
    Array out(static_cast<size_t>(y.count()), 0);
    each_index(x, [&](const Index& from) {
      for (int64_t o = 0; o < outputs_each; ++o)
        for (int64_t a = 0; a < w.kernel[0]; ++a)
          for (int64_t b = 0; b < w.kernel[1]; ++b) {
            const int64_t h = from[2] * w.stride[0] - w.pad[0] + a * w.dilation[0];
            const int64_t v = from[3] * w.stride[1] - w.pad[1] + b * w.dilation[1];
            if (h < 0 || h >= y[2] || v < 0 || v >= y[3]) continue;
            out[at(y, {from[0], from[1] / inputs_each * outputs_each + o, h, v})] +=
                in[0][at(x, from)] * p[0][at(kernel, {from[1], o, a, b})];
          }
    });
    if (bias) each_index(y, [&](const Index& to) { out[at(y, to)] += p[1][to[1]]; });
    return Arrays{out};
  };
  return row;
}

// Without `axis` (-1): of a whole sample, and the top has one or two planes.
LayerCase argmax(const std::string& name, const Shape& x, int axis, int64_t top_k, bool values,
                 TestInput::Values kind = TestInput::Values::kSpread) {
  std::string fields = text("top_k: ", top_k, " out_max_val: ", values ? "true" : "false");
  if (axis >= 0) fields += text(" axis: ", axis);
  LayerCase row{name, layer("ArgMax", "argmax_param { " + fields + " }"), {{x, kind, 3}}};
  row.expected = [=](const Arrays& in, const Arrays&) {
    const int64_t outer = axis < 0 ? x[0] : x.count(0, axis);
    const int64_t extent = axis < 0 ? x.count() / x[0] : x[axis];
    const int64_t inner = axis < 0 ? 1 : x.count(axis + 1, x.rank());
    const Rank places = [&] {
      Rank ranks;
      for (int64_t o = 0; o < outer; ++o)
        for (int64_t i = 0; i < inner; ++i) {
          std::vector<std::pair<double, int64_t>> pairs;
          for (int64_t k = 0; k < extent; ++k)
            pairs.emplace_back(in[0][(o * extent + k) * inner + i], k);
          std::sort(pairs.rbegin(), pairs.rend());
          ranks.push_back(std::move(pairs));
        }
      return ranks;
    }();
    Array y;
    for (int64_t o = 0; o < outer; ++o)
      for (const bool value : {false, true}) {
        if (axis >= 0 ? value != values : value && !values) continue;
        for (int64_t j = 0; j < top_k; ++j)
          for (int64_t i = 0; i < inner; ++i) {
            const auto& [number, k] = places[o * inner + i][j];
            y.push_back(value ? number : double(k));
          }
      }
    return Arrays{y};
  };
  return row;
}

LayerCase reduction(const std::string& name, const Shape& x, const std::string& operation,
                    int64_t axis, double coefficient) {
  LayerCase row{name,
                layer("Reduction", text("reduction_param { operation: ", operation, " axis: ", axis,
                                        " coeff: ", coefficient, " }")),
                {{x, TestInput::Values::kSpread}}};
  row.expected = [=](const Arrays& in, const Arrays&) {
    const int begin = static_cast<int>(axis < 0 ? axis + x.rank() : axis);
    const int64_t each = x.count(begin, x.rank());
    Array y;
    for (int64_t r = 0; r < x.count() / each; ++r) {
      double sum = 0;
      for (int64_t k = 0; k < each; ++k) {
        const double value = in[0][r * each + k];
        sum += operation == "ASUM"    ? std::fabs(value)
               : operation == "SUMSQ" ? value * value
                                      : value;
      }
      y.push_back(coefficient * (operation == "MEAN" ? sum / double(each) : sum));
    }
    return Arrays{y};
  };
  return row;
}

LayerCase batch_reindex(const std::string& name, const Shape& x, int64_t taken) {
  LayerCase row{name, layer("BatchReindex"), {{x}, {{taken}, TestInput::Values::kLabels, x[0]}}};
  row.expected = [=](const Arrays& in, const Arrays&) {
    const int64_t each = x.count() / x[0];
    Array y;
    for (const double index : in[1])
      for (int64_t j = 0; j < each; ++j) y.push_back(in[0][int64_t(index) * each + j]);
    return Arrays{y};
  };
  return row;
}

LayerCase interp(const std::string& name, const std::string& fields, const Shape& x, const Shape& y,
                 int64_t cropped_in_front = 0, int64_t cropped_behind = 0) {
  LayerCase row{name, layer("Interp", "interp_param { " + fields + " }"), {{x}}};
  row.expected = [=](const Arrays& in, const Arrays&) {
    Array out;
    each_index(y, [&](const Index& to) {
      double value = 0;
      double where[2];
      for (const int axis : {2, 3}) {
        const int64_t pixels = x[axis] - cropped_in_front - cropped_behind;
        where[axis - 2] = cropped_in_front +
                          (y[axis] > 1 ? double(to[axis] * (pixels - 1)) / double(y[axis] - 1) : 0);
      }
      for (int64_t h = 0; h < x[2]; ++h)
        for (int64_t v = 0; v < x[3]; ++v)
          value += std::max(0.0, 1 - std::fabs(double(h) - where[0])) *
                   std::max(0.0, 1 - std::fabs(double(v) - where[1])) *
                   in[0][at(x, {to[0], to[1], h, v})];
      out.push_back(value);
    });
    return Arrays{out};
  };
  return row;
}

// Row-major, `windows` x `windows` a level.
LayerCase spp(const std::string& name, const std::string& method, const Shape& x,
              std::vector<int64_t> levels) {
  LayerCase row{
      name,
      layer("SPP", text("spp_param { pool: ", method, " pyramid_height: ", levels.size(), " }")),
      {{x, TestInput::Values::kSpread}}};
  row.expected = [=](const Arrays& in, const Arrays&) {
    Array out;
    for (int64_t n = 0; n < x[0]; ++n)
      for (const int64_t windows : levels)
        for (int64_t c = 0; c < x[1]; ++c)
          for (int64_t window = 0; window < windows * windows; ++window) {
            const auto range = [&](int64_t pixels, int64_t number, int64_t& padded) {
              const int64_t size = (pixels + windows - 1) / windows;
              const int64_t pad = (size * windows - pixels + 1) / 2;
              const int64_t begin = number * size - pad;
              padded = std::min(begin + size, pixels + pad) - begin;
              return Pair{std::max<int64_t>(begin, 0), std::min(begin + size, pixels)};
            };
            int64_t rows = 0, columns = 0;
            const Pair h = range(x[2], window / windows, rows);
            const Pair v = range(x[3], window % windows, columns);
            double largest = -1e30, sum = 0;
            for (int64_t i = h[0]; i < h[1]; ++i)
              for (int64_t j = v[0]; j < v[1]; ++j) {
                largest = std::max(largest, in[0][at(x, {n, c, i, j})]);
                sum += in[0][at(x, {n, c, i, j})];
              }
            out.push_back(method == "MAX" ? largest : sum / double(rows * columns));
          }
    return Arrays{out};
  };
  return row;
}

// Windows of 2 x 3 pixels, 2 and 1 apart, of numbers from 0 to 8.
LayerCase stochastic_pooling(const std::string& name, const Shape& x, Phase phase) {
  LayerCase row{name,
                layer("Pooling",
                      "pooling_param { pool: STOCHASTIC kernel_h: 2 kernel_w: 3 "
                      "stride_h: 2 stride_w: 1 }"),
                {{x, TestInput::Values::kLabels, 9}}};
  row.phase = phase;
  row.derivative = phase == Phase::kTest;  // what is drawn changes with what it is drawn from
  const Shape y{x[0], x[1], (x[2] + 1) / 2, x[3] - 2};
  row.expected = [=](const Arrays& in, const Arrays&) {
    const Random random(LayerBench::kSeed, "layer it", LayerBench::kPassIndex);
    Array out;
    each_index(y, [&](const Index& to) {
      std::vector<float> values;
      float sum = 0, squares = 0;
      for (int64_t h = 2 * to[2]; h < std::min(2 * to[2] + 2, x[2]); ++h)
        for (int64_t v = to[3]; v < to[3] + 3; ++v) {
          values.push_back(static_cast<float>(in[0][at(x, {to[0], to[1], h, v})]));
          sum += values.back();
          squares += values.back() * values.back();
        }
      if (phase == Phase::kTest) return out.push_back(sum > 0 ? squares / sum : 0);
      // Numbers are drawn in the order of memory: channels innermost.
      const int64_t draw = ((to[0] * y[2] + to[2]) * y[3] + to[3]) * y[1] + to[1];
      const float threshold = random.uniform(static_cast<uint64_t>(draw)) * sum;
      size_t taken = 0;
      float upto = values[0];
      while (upto < threshold && taken + 1 < values.size()) upto += values[++taken];
      out.push_back(values[taken]);
    });
    return Arrays{out};
  };
  return row;
}

}  // namespace

std::vector<LayerCase> shape_cases() {
  using V = TestInput::Values;
  const std::vector<int64_t> bins{1, 2, 4};
  return {
      slice("slice", {2, 6, 3, 5}, "", 1, {2, 2, 2}),
      slice("slice_points", {2, 7, 3, 2}, "slice_point: 1 slice_point: 5", 1, {1, 4, 2}),
      slice("slice_batch", {5, 3, 2, 3}, "axis: 0 slice_point: 2", 0, {2, 3}),
      slice("slice_height", {2, 3, 4, 5}, "slice_dim: 2", 2, {2, 2}),
      slice("slice_width", {2, 3, 2, 5}, "axis: -1 slice_point: 4", 3, {4, 1}),
      slice("slice_rank3", {2, 6, 5}, "", 1, {3, 3}),
      slice("slice_rank5", {2, 3, 4, 2, 3}, "axis: 2", 2, {2, 2}),
      slice("slice_into_one", {2, 3, 2, 5}, "", 1, {3}),

      split("split", {2, 3, 2, 5}, 3),
      split("split_into_one", {3, 5}, 1),

      reshape("reshape", {2, 6, 4, 5}, "shape { dim: 0 dim: 3 dim: -1 dim: 5 }"),
      reshape("reshape_to_rows", {2, 3, 2, 5}, "shape { dim: 0 dim: -1 }"),
      reshape("reshape_to_images", {4, 6, 5}, "shape { dim: 2 dim: 3 dim: 4 dim: 5 }"),
      reshape("reshape_middle", {2, 6, 5}, "axis: 1 num_axes: 1 shape { dim: 3 dim: -1 }"),
      reshape("reshape_axis_behind", {3, 5}, "axis: -1 shape { dim: 1 dim: 1 }"),
      reshape("reshape_to_scalar", {1, 1}, "shape {}"),

      deconvolution("deconvolution", "num_output: 5 kernel_size: 3 pad: 1 stride: 2", {2, 3, 4, 3},
                    5, 1, true, {{3, 3}, {2, 2}, {1, 1}}),
      deconvolution("deconvolution_one_channel", "num_output: 1 kernel_size: 2 bias_term: false",
                    {1, 1, 3, 4}, 1, 1, false, {{2, 2}}),
      deconvolution("deconvolution_1x1", "num_output: 7 kernel_size: 1", {2, 3, 2, 3}, 7, 1, true,
                    {{1, 1}}),
      deconvolution("deconvolution_1x1_stride", "num_output: 4 kernel_size: 1 stride: 2",
                    {2, 3, 3, 4}, 4, 1, true, {{1, 1}, {2, 2}}),
      deconvolution("deconvolution_group", "num_output: 6 kernel_size: 3 group: 3 stride: 2",
                    {1, 9, 3, 4}, 6, 3, true, {{3, 3}, {2, 2}}),
      deconvolution("deconvolution_depthwise",
                    "num_output: 5 kernel_size: 4 pad: 1 stride: 2 group: 5 bias_term: false",
                    {2, 5, 3, 3}, 5, 5, false, {{4, 4}, {2, 2}, {1, 1}}),
      deconvolution("deconvolution_dilation",
                    "num_output: 3 kernel_size: 3 pad: 2 dilation: 2 stride: 3", {2, 3, 3, 2}, 3, 1,
                    true, {{3, 3}, {3, 3}, {2, 2}, {2, 2}}),
      deconvolution("deconvolution_rectangular",
                    "num_output: 3 kernel_h: 1 kernel_w: 5 stride_h: 3 stride_w: 1 pad_h: 0 "
                    "pad_w: 2",
                    {1, 2, 3, 6}, 3, 1, true, {{1, 5}, {3, 1}, {0, 2}}),
      deconvolution("deconvolution_of_winograd", "num_output: 40 kernel_size: 3 pad: 1",
                    {1, 33, 12, 13}, 40, 1, true, {{3, 3}, {1, 1}, {1, 1}}),

      crop("crop", {2, 3, 7, 8}, {1, 1, 4, 5}, "", {2, 3, 4, 5}, {0, 0, 0, 0}),
      crop("crop_offset", {2, 3, 7, 8}, {2, 3, 4, 5}, "offset: 2", {2, 3, 4, 5}, {0, 0, 2, 2}),
      crop("crop_offsets", {2, 5, 4, 6}, {2, 2, 3, 4}, "axis: 1 offset: 3 offset: 1 offset: 0",
           {2, 2, 3, 4}, {0, 3, 1, 0}),
      crop("crop_batch", {4, 3, 5}, {2, 3, 4}, "axis: 0 offset: 2 offset: 0 offset: 1", {2, 3, 4},
           {2, 0, 1}),
      crop("crop_width", {2, 3, 4, 6}, {2, 3, 1, 4}, "axis: -1 offset: 1", {2, 3, 4, 4},
           {0, 0, 0, 1}),
      crop("crop_nothing", {2, 3, 4, 6}, {2, 3, 4, 6}, "", {2, 3, 4, 6}, {0, 0, 0, 0}),

      {"silence",
       layer("Silence", "", 0),
       {{{2, 3}}, {{1, 5, 2, 2}}},
       [](const Arrays&, const Arrays&) { return Arrays{}; }},

      permute("permute_channels_last", {2, 3, 4, 5}, "order: 0 order: 2 order: 3 order: 1",
              {0, 2, 3, 1}),
      permute("permute_channels_first", {2, 3, 4, 5}, "order: 0 order: 3 order: 1 order: 2",
              {0, 3, 1, 2}),
      permute("permute_turned_round", {2, 3, 4, 5}, "order: 3 order: 2 order: 1 order: 0",
              {3, 2, 1, 0}),
      permute("permute_rest", {2, 3, 4, 5}, "order: 2", {2, 0, 1, 3}),
      permute("permute_nothing", {2, 3, 4, 5}, "", {0, 1, 2, 3}),
      permute("permute_matrix", {3, 5}, "order: 1 order: 0", {1, 0}),
      permute("permute_rank5", {2, 3, 2, 3, 4}, "order: 0 order: 4 order: 2 order: 1 order: 3",
              {0, 4, 2, 1, 3}),

      tile("tile", {2, 3, 2, 5}, 1, 3),
      tile("tile_batch", {2, 3, 2, 5}, 0, 2),
      tile("tile_height", {2, 3, 4, 2}, 2, 2),
      tile("tile_width", {2, 3, 2, 5}, -1, 3),
      tile("tile_rank3", {2, 3, 5}, 1, 2),
      tile("tile_once", {3, 5}, 1, 1),

      shuffle_channel("shuffle_channel", {2, 6, 3, 2}, 3),
      shuffle_channel("shuffle_channel_pairs", {1, 10, 1, 2}, 2),
      shuffle_channel("shuffle_channel_one_group", {2, 5, 2, 2}, 1),
      shuffle_channel("shuffle_channel_rank2", {3, 8}, 4),

      upsample("upsample", {2, 3, 4, 5}, 2),
      upsample("upsample_three", {1, 1, 2, 3}, 3),
      upsample("upsample_nothing", {2, 5, 2, 3}, 1),

      argmax("argmax", {3, 2, 4, 2}, -1, 1, false),
      argmax("argmax_values", {3, 2, 4, 2}, -1, 3, true),
      argmax("argmax_ties", {3, 5, 2, 2}, -1, 4, true, V::kLabels),
      argmax("argmax_rows", {4, 7}, -1, 2, true),
      argmax("argmax_rank5", {2, 3, 1, 2, 2}, -1, 2, true),
      argmax("argmax_channels", {2, 5, 2, 3}, 1, 1, false),
      argmax("argmax_channels_top3", {2, 5, 2, 3}, 1, 3, false, V::kLabels),
      argmax("argmax_channels_values", {2, 5, 2, 3}, 1, 2, true),
      argmax("argmax_width", {2, 3, 2, 5}, 3, 2, false),
      argmax("argmax_batch", {5, 3}, 0, 1, false),

      reduction("reduction", {2, 3, 4, 5}, "SUM", 0, 1),
      reduction("reduction_channels", {2, 3, 4, 5}, "MEAN", 1, 2),
      reduction("reduction_planes", {2, 3, 4, 5}, "ASUM", 2, -0.5),
      reduction("reduction_width", {2, 3, 4, 5}, "SUMSQ", -1, 1.5),
      reduction("reduction_rows", {3, 300}, "SUM", 1, 0.25),
      reduction("reduction_rank5", {2, 3, 2, 4, 5}, "SUMSQ", 4, 1),
      reduction("reduction_rank5_planes", {2, 3, 2, 4, 5}, "MEAN", 3, 1),

      batch_reindex("batch_reindex", {4, 3, 2, 2}, 7),
      batch_reindex("batch_reindex_rows", {5, 3}, 2),

      {"parameter",
       layer("Parameter", "parameter_param { shape { dim: 2 dim: 3 dim: 2 dim: 2 } }"),
       {},
       [](const Arrays&, const Arrays& p) { return p; }},

      interp("interp_size", "height: 7 width: 4", {2, 3, 3, 5}, {2, 3, 7, 4}),
      interp("interp_zoom", "zoom_factor: 3", {1, 3, 3, 4}, {1, 3, 7, 10}),
      interp("interp_shrink", "shrink_factor: 2", {2, 1, 6, 7}, {2, 1, 3, 4}),
      interp("interp_both", "shrink_factor: 2 zoom_factor: 3", {1, 2, 5, 6}, {1, 2, 7, 7}),
      interp("interp_cropped", "height: 5 width: 9 pad_beg: -1 pad_end: -2", {1, 2, 6, 7},
             {1, 2, 5, 9}, 1, 2),
      interp("interp_to_one_pixel", "height: 1 width: 1", {2, 3, 3, 4}, {2, 3, 1, 1}),
      interp("interp_of_one_pixel", "height: 3 width: 2", {2, 3, 1, 1}, {2, 3, 3, 2}),
      interp("interp_nothing", "height: 3 width: 4", {1, 5, 3, 4}, {1, 5, 3, 4}),

      spp("spp", "MAX", {2, 3, 9, 10}, bins),
      spp("spp_average", "AVE", {1, 2, 7, 10}, bins),
      spp("spp_one_level", "MAX", {2, 3, 4, 5}, {1}),

      stochastic_pooling("pooling_stochastic", {2, 3, 5, 6}, Phase::kTrain),
      stochastic_pooling("pooling_stochastic_test", {2, 3, 5, 6}, Phase::kTest),
  };
}

}  // namespace orepa
