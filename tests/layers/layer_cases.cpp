// Rows of the harness: every layer but the convolutions, with awkward shapes (odd channels, batch
// 1, one value a channel) and a forward reference written down as plainly as can be.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/layers/check_layer.h"

namespace orepa {
namespace {

using V = TestInput::Values;
using Array = std::vector<double>;

// A layer named "it" with the tops "y", "y1", ...
std::string layer(const std::string& type, const std::string& fields = "", int tops = 1) {
  std::string text = "layer { name: \"it\" type: \"" + type + "\" top: \"y\" ";
  for (int o = 1; o < tops; ++o) text += "top: \"y" + std::to_string(o) + "\" ";
  return text + fields + " }";
}

// One that the first absorbs.
std::string absorbed(const std::string& type, const std::string& fields = "") {
  return " layer { name: \"" + type + "\" type: \"" + type + "\" bottom: \"y\" top: \"y\" " +
         fields + " }";
}

template <class F>
auto elementwise(F f) {
  return [f](const Arrays& in, const Arrays&) {
    Array y;
    for (const double x : in[0]) y.push_back(f(x));
    return Arrays{y};
  };
}

// Reference loops run over (outer, k, inner), the axis being k.
struct Rows {
  int64_t outer, extent, inner;
  Rows(const Shape& shape, int axis)
      : outer(shape.count(0, axis)),
        extent(shape[axis]),
        inner(shape.count(axis + 1, shape.rank())) {}
  size_t at(int64_t o, int64_t k, int64_t i) const {
    return static_cast<size_t>((o * extent + k) * inner + i);
  }
};

// --- without parameters -------------------------------------------------------------------------

LayerCase one_to_one(const std::string& name, const std::string& text, V values,
                     std::function<double(double)> f) {
  return {name, text, {{{3, 5, 2, 3}, values}}, elementwise(f)};
}

double relu(double x) { return std::max(0.0, x); }

LayerCase dropout(const std::string& name, Phase phase) {
  LayerCase row{name, layer("Dropout", "dropout_param { dropout_ratio: 0.25 }"), {{{7, 9}}}};
  row.phase = phase;
  row.expected = [phase](const Arrays& in, const Arrays&) {
    const Random random(LayerBench::kSeed, "layer it", LayerBench::kPassIndex);
    Array y = in[0];
    if (phase == Phase::kTrain)
      for (size_t i = 0; i < y.size(); ++i) y[i] = random.uniform(i) < 0.25f ? 0 : y[i] / 0.75;
    return Arrays{y};
  };
  return row;
}

LayerCase eltwise(const std::string& name, const std::string& fields, int inputs,
                  std::function<double(const Array&)> f, const std::string& behind = "") {
  LayerCase row{name, layer("Eltwise", "eltwise_param { " + fields + " }") + behind, {}};
  for (int i = 0; i < inputs; ++i) row.inputs.push_back({{1, 3, 3, 5}, V::kSpread});
  row.expected = [f](const Arrays& in, const Arrays&) {
    Array y(in[0].size());
    for (size_t k = 0; k < y.size(); ++k) {
      Array operands;
      for (const Array& x : in) operands.push_back(x[k]);
      y[k] = f(operands);
    }
    return Arrays{y};
  };
  return row;
}

double sum_of(const Array& x) { return std::accumulate(x.begin(), x.end(), 0.0); }
double product_of(const Array& x) {
  return std::accumulate(x.begin(), x.end(), 1.0, std::multiplies<>());
}
double max_of(const Array& x) { return *std::max_element(x.begin(), x.end()); }

LayerCase concat(const std::string& name, int axis, std::vector<Shape> shapes) {
  LayerCase row{name, layer("Concat", text("concat_param { axis: ", axis, " }")), {}};
  int64_t total = 0;
  const int positive = axis < 0 ? axis + shapes[0].rank() : axis;
  for (const Shape& shape : shapes) {
    row.inputs.push_back({shape});
    total += shape[positive];
  }
  std::vector<int64_t> extents = shapes[0].extents();
  extents[positive] = total;
  const Rows whole(Shape(extents), positive);
  row.expected = [=](const Arrays& in, const Arrays&) {
    Array y(static_cast<size_t>(whole.outer * whole.extent * whole.inner));
    int64_t offset = 0;
    for (size_t b = 0; b < in.size(); ++b) {
      const Rows part(shapes[b], positive);
      for (int64_t o = 0; o < part.outer; ++o)
        for (int64_t k = 0; k < part.extent; ++k)
          for (int64_t i = 0; i < part.inner; ++i)
            y[whole.at(o, offset + k, i)] = in[b][part.at(o, k, i)];
      offset += part.extent;
    }
    return Arrays{y};
  };
  return row;
}

LayerCase flatten(const std::string& name, const Shape& shape, const std::string& fields) {
  return {name,
          layer("Flatten", "flatten_param { " + fields + " }"),
          {{shape}},
          elementwise([](double x) { return x; })};
}

// --- pooling ------------------------------------------------------------------------------------

struct Window {
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, out_h, out_w;
};

LayerCase pooling(const std::string& name, const std::string& fields, const Shape& x, bool max,
                  const Window& w) {
  LayerCase row{name, layer("Pooling", "pooling_param { " + fields + " }"), {{x, V::kSpread}}};
  row.expected = [=](const Arrays& in, const Arrays&) {
    Array y;
    for (int64_t plane = 0; plane < x[0] * x[1]; ++plane)
      for (int64_t oh = 0; oh < w.out_h; ++oh)
        for (int64_t ow = 0; ow < w.out_w; ++ow) {
          const int64_t top = oh * w.stride_h - w.pad_h, left = ow * w.stride_w - w.pad_w;
          const int64_t bottom = std::min(top + w.kernel_h, x[2] + w.pad_h);
          const int64_t right = std::min(left + w.kernel_w, x[3] + w.pad_w);
          double largest = -1e30, sum = 0;
          for (int64_t h = std::max<int64_t>(top, 0); h < std::min(bottom, x[2]); ++h)
            for (int64_t v = std::max<int64_t>(left, 0); v < std::min(right, x[3]); ++v) {
              const double value = in[0][(plane * x[2] + h) * x[3] + v];
              largest = std::max(largest, value);
              sum += value;
            }
          y.push_back(max ? largest : sum / double((bottom - top) * (right - left)));
        }
    return Arrays{y};
  };
  return row;
}

// --- with parameters ----------------------------------------------------------------------------

LayerCase inner_product(const std::string& name, const Shape& x, int axis, int64_t outputs,
                        bool transpose, bool bias) {
  LayerCase row{name,
                layer("InnerProduct", text("inner_product_param { num_output: ", outputs, " axis: ",
                                           axis, " transpose: ", transpose ? "true" : "false",
                                           " bias_term: ", bias ? "true" : "false", " }")),
                {{x}}};
  row.expected = [=](const Arrays& in, const Arrays& parameters) {
    const int64_t rows = x.count(0, axis), columns = x.count(axis, x.rank());
    Array y;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t o = 0; o < outputs; ++o) {
        double sum = bias ? parameters[1][o] : 0;
        for (int64_t c = 0; c < columns; ++c)
          sum +=
              in[0][r * columns + c] * parameters[0][transpose ? c * outputs + o : o * columns + c];
        y.push_back(sum);
      }
    return Arrays{y};
  };
  return row;
}

// The small operand covers the axes [axis, axis + its rank) of x.
Array scaled(const Array& x, const Array& scale, const Array& bias, const Shape& shape, int axis,
             int axes) {
  const int64_t inner = shape.count(axis + axes, shape.rank());
  const int64_t small = static_cast<int64_t>(scale.size());
  Array y;
  for (int64_t i = 0; i < static_cast<int64_t>(x.size()); ++i) {
    const int64_t j = i / inner % small;
    y.push_back(x[i] * scale[j] + (bias.empty() ? 0 : bias[j]));
  }
  return y;
}

LayerCase scale(const std::string& name, const Shape& x, int axis, int axes, bool bias) {
  const int covered = axes < 0 ? x.rank() - axis : axes;
  LayerCase row{name,
                layer("Scale", text("scale_param { axis: ", axis, " num_axes: ", axes,
                                    " bias_term: ", bias ? "true" : "false", " }")),
                {{x}}};
  row.expected = [=](const Arrays& in, const Arrays& p) {
    return Arrays{scaled(in[0], p[0], bias ? p[1] : Array{}, x, axis, covered)};
  };
  return row;
}

LayerCase scale_by_bottom(const std::string& name, const Shape& x, const Shape& s, int axis,
                          bool bias) {
  LayerCase row{name,
                layer("Scale", text("scale_param { axis: ", axis,
                                    " bias_term: ", bias ? "true" : "false", " }")),
                {{x}, {s}}};
  row.expected = [=](const Arrays& in, const Arrays& p) {
    return Arrays{scaled(in[0], in[1], bias ? p[0] : Array{}, x, axis, s.rank())};
  };
  return row;
}

// Parameters are mean, variance, factor, then scale and bias where they are.
LayerCase batch_norm(const std::string& name, const Shape& x, Phase phase, bool with_scale,
                     bool with_bias, bool with_relu, const std::string& fields = "") {
  LayerCase row{name, layer("BatchNorm", "batch_norm_param { eps: 0.01 " + fields + " }"), {{x}}};
  row.phase = phase;
  if (with_scale)
    row.layers += absorbed("Scale", with_bias ? "scale_param { bias_term: true }" : "");
  if (with_relu) row.layers += absorbed("ReLU");
  const bool from_batch =
      fields.empty() ? phase == Phase::kTrain : fields == "use_global_stats: false";
  row.expected = [=](const Arrays& in, const Arrays& p) {
    const Rows rows(x, 1);
    Array y(in[0].size());
    for (int64_t c = 0; c < rows.extent; ++c) {
      double mean = 0, square = 0;
      const auto each = [&](auto visit) {
        for (int64_t o = 0; o < rows.outer; ++o)
          for (int64_t i = 0; i < rows.inner; ++i) visit(rows.at(o, c, i));
      };
      const double count = double(rows.outer * rows.inner);
      each([&](size_t i) { mean += in[0][i] / count; });
      each([&](size_t i) { square += (in[0][i] - mean) * (in[0][i] - mean) / count; });
      if (!from_batch) mean = p[0][c], square = p[1][c];
      each([&](size_t i) {
        y[i] = (in[0][i] - mean) / std::sqrt(square + 0.01);
        if (with_scale) y[i] = y[i] * p[3][c] + (with_bias ? p[4][c] : 0);
        if (with_relu) y[i] = relu(y[i]);
      });
    }
    return Arrays{y};
  };
  return row;
}

// Without its border a BatchNormPad is a BatchNorm with a Scale; the border takes no gradient,
// which the golden DBB blocks pin down.
LayerCase batch_norm_pad(const std::string& name, const Shape& x, Phase phase, int64_t pad) {
  LayerCase row = batch_norm(name, x, phase, true, true, false);
  row.layers = layer("BatchNormPad", text("batch_norm_param { eps: 0.01 pad: ", pad, " }"));
  row.derivative = pad == 0;
  if (pad > 0 && phase == Phase::kTrain) row.expected = nullptr;
  if (pad == 0 || row.expected == nullptr) return row;
  row.expected = [=, inner = row.expected](const Arrays& in, const Arrays& p) {
    const Array plain = inner(in, p)[0];
    const int64_t height = x[2] + 2 * pad, width = x[3] + 2 * pad;
    Array y;
    for (int64_t n = 0; n < x[0]; ++n)
      for (int64_t c = 0; c < x[1]; ++c)
        for (int64_t h = -pad; h < height - pad; ++h)
          for (int64_t w = -pad; w < width - pad; ++w)
            y.push_back(h >= 0 && h < x[2] && w >= 0 && w < x[3]
                            ? plain[((n * x[1] + c) * x[2] + h) * x[3] + w]
                            : p[4][c] - p[0][c] * p[3][c] / std::sqrt(p[1][c] + 0.01));
    return Arrays{y};
  };
  return row;
}

// --- softmax, its loss, accuracy ----------------------------------------------------------------

Array softmax_of(const Array& x, const Rows& rows) {
  Array y(x.size());
  for (int64_t o = 0; o < rows.outer; ++o)
    for (int64_t i = 0; i < rows.inner; ++i) {
      double sum = 0;
      for (int64_t k = 0; k < rows.extent; ++k) sum += std::exp(x[rows.at(o, k, i)]);
      for (int64_t k = 0; k < rows.extent; ++k)
        y[rows.at(o, k, i)] = std::exp(x[rows.at(o, k, i)]) / sum;
    }
  return y;
}

LayerCase softmax(const std::string& name, const Shape& x, int axis) {
  LayerCase row{name, layer("Softmax", text("softmax_param { axis: ", axis, " }")), {{x}}};
  const Rows rows(x, axis < 0 ? axis + x.rank() : axis);
  row.expected = [=](const Arrays& in, const Arrays&) { return Arrays{softmax_of(in[0], rows)}; };
  return row;
}

struct LossRule {
  int axis = 1, ignored = -1;
  double smoothing = 0;
  std::string normalization = "VALID";
  int tops = 1;
};

LayerCase softmax_loss(const std::string& name, const Shape& x, const Shape& labels,
                       const std::string& fields, const LossRule& rule) {
  const Rows rows(x, rule.axis);
  LayerCase row{
      name,
      layer("SoftmaxWithLoss", text("softmax_param { axis: ", rule.axis, " } ", fields), rule.tops),
      {{x}, {labels, V::kLabels, rows.extent}}};
  row.differentiable_tops = 1;
  row.expected = [=](const Arrays& in, const Arrays&) {
    const Array p = softmax_of(in[0], rows);
    double loss = 0, counted = 0;
    for (int64_t o = 0; o < rows.outer; ++o)
      for (int64_t i = 0; i < rows.inner; ++i) {
        const int64_t label = static_cast<int64_t>(in[1][o * rows.inner + i]);
        if (label == rule.ignored) continue;
        ++counted;
        for (int64_t k = 0; k < rows.extent; ++k)
          loss -= ((k == label ? 1 - rule.smoothing : 0) + rule.smoothing / double(rows.extent)) *
                  std::log(p[rows.at(o, k, i)]);
      }
    double divisor = counted;
    if (rule.normalization == "FULL") divisor = double(rows.outer * rows.inner);
    if (rule.normalization == "BATCH_SIZE") divisor = double(x[0]);
    if (rule.normalization == "NONE") divisor = 1;
    Arrays out{{loss / divisor}};
    if (rule.tops == 2) out.push_back(p);
    return out;
  };
  return row;
}

// The second bottom is what the probabilities should be; here any numbers.
LayerCase softmax_loss_of_distributions(const std::string& name, const Shape& x, double smoothing) {
  const Rows rows(x, 1);
  LayerCase row{name,
                layer("SoftmaxWithLoss", text("loss_param { label_smoothing: ", smoothing, " }")),
                {{x}, {x}}};
  row.expected = [=](const Arrays& in, const Arrays&) {
    const Array p = softmax_of(in[0], rows);
    double loss = 0;
    for (size_t i = 0; i < p.size(); ++i)
      loss -= ((1 - smoothing) * in[1][i] + smoothing / double(rows.extent)) * std::log(p[i]);
    return Arrays{{loss / double(rows.outer * rows.inner)}};
  };
  return row;
}

// With both alphas 1 the shares are even: U / (U + V) of the first pair with U + V <= 1.
double even_share(const Random& random) {
  for (uint64_t i = 4;; i += 2) {
    const double u = random.uniform(i), v = random.uniform(i + 1);
    if (u + v <= 1) return u / (u + v);
  }
}

LayerCase mixup(const std::string& name, Phase phase, bool cut) {
  const Shape x{5, 2, 3, 4};
  const int classes = 3;
  LayerCase row{name,
                layer("Mixup",
                      text("mixup_param { classes: 3 mixup_alpha: ", cut ? 0 : 1,
                           " cutmix_alpha: ", cut ? 1 : 0, " }"),
                      2),
                {{x}, {{5}, V::kLabels, classes}}};
  row.phase = phase;
  row.expected = [=](const Arrays& in, const Arrays&) {
    const Random random(LayerBench::kSeed, "layer it", LayerBench::kPassIndex);
    const double share = phase == Phase::kTest ? 1 : even_share(random);
    double own = cut ? 1 : share, own_label = share;
    int64_t box[4] = {0, 0, 0, 0};
    if (cut && phase == Phase::kTrain) {
      for (int axis = 0; axis < 2; ++axis) {
        const int64_t length = x[2 + axis];
        const auto half = static_cast<int64_t>(std::sqrt(1 - share) * double(length) / 2);
        const auto middle = static_cast<int64_t>(
            random.below(1 + static_cast<uint64_t>(axis), static_cast<uint64_t>(length)));
        box[2 * axis] = std::max<int64_t>(middle - half, 0);
        box[2 * axis + 1] = std::min(middle + half, length);
      }
      own_label = 1 - double((box[1] - box[0]) * (box[3] - box[2])) / double(x[2] * x[3]);
    }
    Arrays out{Array(in[0].size()), Array(5 * classes, 0.0)};
    size_t i = 0;
    for (int64_t n = 0; n < 5; ++n) {
      out[1][n * classes + int64_t(in[1][n])] += own_label;
      const int64_t partner = (n ^ 1) < 5 ? n ^ 1 : n;
      out[1][n * classes + int64_t(in[1][partner])] += 1 - own_label;
      for (int64_t c = 0; c < 2; ++c)
        for (int64_t h = 0; h < 3; ++h)
          for (int64_t w = 0; w < 4; ++w, ++i) {
            const bool there = h >= box[0] && h < box[1] && w >= box[2] && w < box[3];
            const double keep = there ? 0 : own;
            out[0][i] = keep * in[0][i] + (1 - keep) * in[0][(partner * 2 + c) * 12 + h * 4 + w];
          }
    }
    return out;
  };
  return row;
}

LayerCase accuracy(const std::string& name, const Shape& x, int axis, const Shape& labels,
                   const std::string& fields, int64_t top_k, int ignored, int tops) {
  const Rows rows(x, axis);
  LayerCase row{name,
                layer("Accuracy", text("accuracy_param { axis: ", axis, " ", fields, " }"), tops),
                {{x}, {labels, V::kLabels, rows.extent}}};
  row.expected = [=](const Arrays& in, const Arrays&) {
    double right = 0, counted = 0;
    Array right_of(rows.extent, 0.0), count_of(rows.extent, 0.0);
    for (int64_t o = 0; o < rows.outer; ++o)
      for (int64_t i = 0; i < rows.inner; ++i) {
        const int64_t label = static_cast<int64_t>(in[1][o * rows.inner + i]);
        if (label == ignored) continue;
        int64_t better = 0;
        for (int64_t k = 0; k < rows.extent; ++k)
          better += k != label && in[0][rows.at(o, k, i)] >= in[0][rows.at(o, label, i)];
        const bool hit = better < top_k;
        right += hit, right_of[label] += hit;
        ++counted, ++count_of[label];
      }
    Arrays out{{right / counted}};
    for (int64_t k = 0; k < rows.extent; ++k)
      right_of[k] = count_of[k] > 0 ? right_of[k] / count_of[k] : 0;
    if (tops == 2) out.push_back(right_of);
    return out;
  };
  return row;
}

}  // namespace

std::vector<LayerCase> layer_cases() {
  const Phase train = Phase::kTrain, test = Phase::kTest;
  std::vector<LayerCase> rows = {
      {"dummy_data",
       layer(
           "DummyData",
           "dummy_data_param { shape { dim: 2 dim: 3 dim: 1 dim: 2 } data_filler { value: 1.5 } }"),
       {},
       [](const Arrays&, const Arrays&) { return Arrays{Array(12, 1.5)}; }},

      one_to_one("relu", layer("ReLU"), V::kSpread, relu),
      one_to_one("relu_slope", layer("ReLU", "relu_param { negative_slope: 0.25 }"), V::kSpread,
                 [](double x) { return x > 0 ? x : 0.25 * x; }),
      one_to_one("relu_negative_slope", layer("ReLU", "relu_param { negative_slope: -0.5 }"),
                 V::kSpread, [](double x) { return x > 0 ? x : -0.5 * x; }),
      one_to_one("sigmoid", layer("Sigmoid"), V::kNormal,
                 [](double x) { return 1 / (1 + std::exp(-x)); }),
      one_to_one("tanh", layer("TanH"), V::kNormal, [](double x) { return std::tanh(x); }),
      dropout("dropout", train),
      dropout("dropout_test", test),
      mixup("mixup", train, false),
      mixup("mixup_test", test, false),
      mixup("cutmix", train, true),

      eltwise("eltwise_sum", "", 2, sum_of),
      eltwise(
          "eltwise_sum_relu", "", 2, [](const Array& x) { return relu(sum_of(x)); },
          absorbed("ReLU")),
      eltwise("eltwise_sum_of_three", "operation: SUM", 3, sum_of),
      eltwise("eltwise_sum_coeff", "coeff: 1 coeff: -0.5 coeff: 2", 3,
              [](const Array& x) { return x[0] - 0.5 * x[1] + 2 * x[2]; }),
      eltwise(
          "eltwise_sum_coeff_relu", "coeff: 1 coeff: -0.5", 2,
          [](const Array& x) { return relu(x[0] - 0.5 * x[1]); }, absorbed("ReLU")),
      eltwise("eltwise_product", "operation: PROD", 3, product_of),
      eltwise(
          "eltwise_product_relu", "operation: PROD", 2,
          [](const Array& x) { return relu(product_of(x)); }, absorbed("ReLU")),
      eltwise("eltwise_max", "operation: MAX", 3, max_of),
      eltwise(
          "eltwise_max_relu", "operation: MAX", 2, [](const Array& x) { return relu(max_of(x)); },
          absorbed("ReLU")),

      concat("concat_batch", 0, {{1, 3, 2, 2}, {2, 3, 2, 2}}),
      concat("concat_channels", 1, {{2, 3, 2, 3}, {2, 1, 2, 3}, {2, 2, 2, 3}}),
      concat("concat_height", 2, {{2, 3, 2, 3}, {2, 3, 1, 3}}),
      concat("concat_width", -1, {{2, 3, 2, 3}, {2, 3, 2, 1}}),
      concat("concat_rank3", 1, {{2, 3, 4}, {2, 5, 4}}),
      concat("concat_single", 1, {{2, 3}}),

      flatten("flatten", {2, 3, 2, 5}, ""),
      flatten("flatten_1x1", {2, 3, 1, 1}, ""),
      flatten("flatten_middle", {2, 3, 2, 5}, "axis: 1 end_axis: 2"),
      flatten("flatten_all", {3, 5}, "axis: 0"),
      flatten("flatten_to_rank4", {2, 3, 2, 2, 3}, "axis: 3"),

      pooling("pooling_max", "kernel_size: 3 stride: 2", {2, 3, 6, 7}, true,
              {3, 3, 2, 2, 0, 0, 3, 3}),
      pooling("pooling_max_pad", "kernel_size: 3 stride: 2 pad: 1", {1, 5, 7, 6}, true,
              {3, 3, 2, 2, 1, 1, 4, 4}),
      pooling("pooling_max_floor", "kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR",
              {1, 5, 6, 6}, true, {3, 3, 2, 2, 1, 1, 3, 3}),
      pooling("pooling_max_rectangular",
              "kernel_h: 2 kernel_w: 3 stride_h: 1 stride_w: 2 pad_w: 1 pad_h: 0", {2, 1, 4, 5},
              true, {2, 3, 1, 2, 0, 1, 3, 3}),
      pooling("pooling_max_global", "global_pooling: true", {2, 3, 3, 4}, true,
              {3, 4, 1, 1, 0, 0, 1, 1}),
      pooling("pooling_average", "pool: AVE kernel_size: 3 stride: 2", {2, 3, 6, 7}, false,
              {3, 3, 2, 2, 0, 0, 3, 3}),
      pooling("pooling_average_pad", "pool: AVE kernel_size: 3 stride: 2 pad: 1", {1, 5, 6, 8},
              false, {3, 3, 2, 2, 1, 1, 4, 5}),
      pooling("pooling_average_global", "pool: AVE global_pooling: true", {2, 17, 3, 4}, false,
              {3, 4, 1, 1, 0, 0, 1, 1}),

      inner_product("inner_product", {3, 5}, 1, 7, false, true),
      inner_product("inner_product_image", {2, 3, 2, 3}, 1, 5, false, true),
      inner_product("inner_product_1x1", {3, 5, 1, 1}, 1, 2, false, false),
      inner_product("inner_product_axis2", {2, 3, 5}, 2, 3, false, true),
      inner_product("inner_product_all", {3, 5}, 0, 4, false, true),
      inner_product("inner_product_transpose", {1, 3, 2, 3}, 1, 5, true, true),

      scale("scale", {2, 3, 2, 5}, 1, 1, false),
      scale("scale_bias", {2, 3, 2, 5}, 1, 1, true),
      scale("scale_rows", {2, 3, 2, 5}, 2, 2, true),
      scale("scale_channels_rows", {2, 3, 2, 5}, 1, 2, true),
      scale("scale_scalar", {2, 3, 2, 5}, 1, 0, true),
      scale("scale_everything", {2, 3, 2, 3}, 0, -1, true),
      scale("scale_rank2", {3, 5}, 1, 1, true),
      scale("scale_rank3", {2, 3, 5}, 0, 2, false),
      scale_by_bottom("scale_by_bottom", {2, 3, 2, 5}, {2, 3}, 0, false),
      scale_by_bottom("scale_by_bottom_bias", {2, 3, 4}, {3}, 1, true),
      scale_by_bottom("scale_by_same_shape", {2, 3, 2, 2}, {2, 3, 2, 2}, 0, false),

      batch_norm("batch_norm", {3, 5, 2, 3}, train, false, false, false),
      batch_norm("batch_norm_wide", {2, 17, 3, 3}, train, true, true, false),
      batch_norm("batch_norm_scale", {3, 5, 2, 3}, train, true, false, false),
      batch_norm("batch_norm_relu", {3, 5, 2, 3}, train, false, false, true),
      batch_norm("batch_norm_scale_bias_relu", {3, 5, 2, 3}, train, true, true, true),
      batch_norm("batch_norm_one_image", {1, 3, 3, 3}, train, true, true, true),
      batch_norm("batch_norm_rank2", {7, 5}, train, true, true, true),
      batch_norm("batch_norm_rank3", {2, 3, 4}, train, true, true, false),
      batch_norm("batch_norm_test", {3, 5, 2, 3}, test, false, false, false),
      batch_norm("batch_norm_test_scale_bias_relu", {3, 5, 2, 3}, test, true, true, true),
      batch_norm_pad("batch_norm_pad_0", {3, 5, 2, 3}, train, 0),
      batch_norm_pad("batch_norm_pad_0_test", {3, 5, 2, 3}, test, 0),
      batch_norm_pad("batch_norm_pad_1", {3, 5, 2, 3}, train, 1),
      batch_norm_pad("batch_norm_pad_2_test", {3, 5, 2, 3}, test, 2),
      batch_norm("batch_norm_test_rank3", {2, 3, 4}, test, true, true, false),
      batch_norm("batch_norm_global_in_train", {3, 5, 2, 3}, train, true, true, true,
                 "use_global_stats: true"),
      batch_norm("batch_norm_batch_in_test", {3, 5, 2, 3}, test, true, true, true,
                 "use_global_stats: false"),

      softmax("softmax", {3, 5}, 1),
      softmax("softmax_channels", {2, 5, 2, 3}, 1),
      softmax("softmax_width", {2, 3, 2, 5}, -1),
      softmax("softmax_batch", {3, 5}, 0),

      softmax_loss("softmax_loss", {4, 5}, {4}, "", {}),
      softmax_loss("softmax_loss_one_sample", {1, 5}, {1}, "", {}),
      softmax_loss("softmax_loss_spatial", {2, 5, 2, 3}, {2, 1, 2, 3}, "", {}),
      softmax_loss("softmax_loss_labels_rank3", {2, 5, 2, 3}, {2, 2, 3}, "", {}),
      softmax_loss("softmax_loss_ignore", {2, 3, 2, 3}, {2, 1, 2, 3},
                   "loss_param { ignore_label: 2 }", {1, 2}),
      softmax_loss("softmax_loss_ignore_full", {2, 3, 2, 3}, {2, 1, 2, 3},
                   "loss_param { ignore_label: 2 normalization: FULL }", {1, 2, 0, "FULL"}),
      softmax_loss("softmax_loss_batch_size", {2, 3, 2, 3}, {2, 1, 2, 3},
                   "loss_param { normalization: BATCH_SIZE }", {1, -1, 0, "BATCH_SIZE"}),
      softmax_loss("softmax_loss_none", {2, 3, 2, 3}, {2, 1, 2, 3},
                   "loss_param { normalization: NONE }", {1, -1, 0, "NONE"}),
      softmax_loss("softmax_loss_normalize_false", {2, 3, 2, 3}, {2, 1, 2, 3},
                   "loss_param { normalize: false }", {1, -1, 0, "BATCH_SIZE"}),
      softmax_loss("softmax_loss_normalize_true", {2, 3, 2, 3}, {2, 1, 2, 3},
                   "loss_param { normalize: true ignore_label: 0 }", {1, 0}),
      softmax_loss("softmax_loss_axis3", {2, 3, 2, 5}, {2, 3, 2}, "", {3}),
      softmax_loss("softmax_loss_smoothing", {4, 5}, {4}, "loss_param { label_smoothing: 0.1 }",
                   {1, -1, 0.1}),
      softmax_loss_of_distributions("softmax_loss_distributions", {4, 5}, 0),
      softmax_loss_of_distributions("softmax_loss_distributions_smoothing", {2, 3, 2, 3}, 0.2),
      softmax_loss("softmax_loss_probabilities", {2, 5, 1, 3}, {2, 1, 1, 3}, "",
                   {1, -1, 0, "VALID", 2}),

      accuracy("accuracy", {20, 3}, 1, {20}, "", 1, -1, 1),
      accuracy("accuracy_top2", {20, 5}, 1, {20}, "top_k: 2", 2, -1, 1),
      accuracy("accuracy_spatial", {2, 3, 2, 3}, 1, {2, 1, 2, 3}, "", 1, -1, 2),
      accuracy("accuracy_ignore", {2, 3, 2, 3}, 1, {2, 2, 3}, "ignore_label: 1", 1, 1, 2),
      accuracy("accuracy_axis3", {2, 3, 2, 3}, 3, {2, 3, 2}, "", 1, -1, 1),
  };
  for (const auto& more :
       {convolution_cases(), elementwise_cases(), normalisation_cases(), loss_cases(),
        shape_cases(), recurrent_cases(), spatial_convolution_cases()})
    rows.insert(rows.end(), more.begin(), more.end());
  return rows;
}

}  // namespace orepa
