// Rows of the harness: layers that map every number by itself, and those that add or multiply a
// small tensor.
#include <algorithm>
#include <cmath>

#include "tests/layers/check_layer.h"

namespace orepa {
namespace {

using V = TestInput::Values;
using Array = std::vector<double>;

std::string layer(const std::string& type, const std::string& fields = "") {
  return "layer { name: \"it\" type: \"" + type + "\" top: \"y\" " + fields + " }";
}

LayerCase one_to_one(const std::string& name, const std::string& text, V values,
                     std::function<double(double)> f) {
  LayerCase row{name, text, {{{2, 15, 3, 2}, values}}};
  row.expected = [f](const Arrays& in, const Arrays&) {
    Array y;
    for (const double x : in[0]) y.push_back(f(x));
    return Arrays{y};
  };
  return row;
}

LayerCase power(const std::string& name, double power, double scale, double shift) {
  return one_to_one(name,
                    layer("Power", text("power_param { power: ", power, " scale: ", scale,
                                        " shift: ", shift, " }")),
                    V::kNormal, [=](double x) { return std::pow(shift + scale * x, power); });
}

// No gradient at all: the values of BVLC Caffe say so too.
LayerCase flat(LayerCase row) {
  row.derivative = false;
  return row;
}

LayerCase prelu(const std::string& name, const Shape& x, bool shared) {
  LayerCase row{name,
                layer("PReLU", shared ? "prelu_param { channel_shared: true }" : ""),
                {{x, V::kSpread}}};
  row.expected = [=](const Arrays& in, const Arrays& p) {
    const auto inner = static_cast<size_t>(x.count(2, x.rank()));
    Array y;
    for (size_t i = 0; i < in[0].size(); ++i) {
      const double slope = p[0][shared ? 0 : i / inner % static_cast<size_t>(x[1])];
      y.push_back(in[0][i] > 0 ? in[0][i] : slope * in[0][i]);
    }
    return Arrays{y};
  };
  return row;
}

// Number i of x has number (i / inner) modulo its size of the bias, which covers the axes [axis,
// axis + axes).
LayerCase bias(const std::string& name, const Shape& x, int axis, int axes,
               const std::string& fields, bool second_bottom = false) {
  LayerCase row{name, layer("Bias", "bias_param { " + fields + " }"), {{x}}};
  if (second_bottom) {
    const auto begin = x.extents().begin() + axis;
    row.inputs.push_back({Shape(std::vector<int64_t>(begin, begin + axes))});
  }
  row.expected = [=](const Arrays& in, const Arrays& p) {
    const Array& bias = second_bottom ? in[1] : p[0];
    const auto inner = static_cast<size_t>(x.count(axis + axes, x.rank()));
    Array y;
    for (size_t i = 0; i < in[0].size(); ++i) y.push_back(in[0][i] + bias[i / inner % bias.size()]);
    return Arrays{y};
  };
  return row;
}

LayerCase axpy(const std::string& name, const Shape& scale, const Shape& x) {
  LayerCase row{name, layer("Axpy"), {{scale}, {x}, {x}}};
  row.expected = [=](const Arrays& in, const Arrays&) {
    const auto plane = static_cast<size_t>(x[2] * x[3]);
    Array y;
    for (size_t i = 0; i < in[1].size(); ++i) y.push_back(in[0][i / plane] * in[1][i] + in[2][i]);
    return Arrays{y};
  };
  return row;
}

}  // namespace

std::vector<LayerCase> elementwise_cases() {
  return {
      one_to_one("relu6", layer("ReLU6"), V::kSpread,
                 [](double x) { return std::clamp(x, 0.0, 6.0); }),
      one_to_one("clip", layer("Clip", "clip_param { min: -1 max: 2.5 }"), V::kSpread,
                 [](double x) { return std::clamp(x, -1.0, 2.5); }),
      one_to_one("elu", layer("ELU"), V::kSpread,
                 [](double x) { return x > 0 ? x : std::exp(x) - 1; }),
      one_to_one("elu_alpha", layer("ELU", "elu_param { alpha: 0.25 }"), V::kSpread,
                 [](double x) { return x > 0 ? x : 0.25 * (std::exp(x) - 1); }),
      one_to_one("elu_negative_alpha", layer("ELU", "elu_param { alpha: -0.5 }"), V::kSpread,
                 [](double x) { return x > 0 ? x : -0.5 * (std::exp(x) - 1); }),
      one_to_one("abs_val", layer("AbsVal"), V::kSpread, [](double x) { return std::fabs(x); }),
      one_to_one("bnll", layer("BNLL"), V::kSpread,
                 [](double x) { return std::log(1 + std::exp(x)); }),
      one_to_one("swish", layer("Swish"), V::kNormal,
                 [](double x) { return x / (1 + std::exp(-x)); }),
      one_to_one("swish_beta", layer("Swish", "swish_param { beta: -1.5 }"), V::kNormal,
                 [](double x) { return x / (1 + std::exp(1.5 * x)); }),
      one_to_one("threshold", layer("Threshold"), V::kSpread,
                 [](double x) { return x > 0 ? 1 : 0; }),
      one_to_one("threshold_above", layer("Threshold", "threshold_param { threshold: 1.5 }"),
                 V::kSpread, [](double x) { return x > 1.5 ? 1 : 0; }),
      one_to_one("exp", layer("Exp"), V::kNormal, [](double x) { return std::exp(x); }),
      one_to_one("exp_base", layer("Exp", "exp_param { base: 3 scale: -0.5 shift: 0.25 }"),
                 V::kNormal, [](double x) { return std::pow(3, 0.25 - 0.5 * x); }),
      one_to_one("log", layer("Log", "log_param { shift: 8 }"), V::kNormal,
                 [](double x) { return std::log(8 + x); }),
      one_to_one("log_base", layer("Log", "log_param { base: 2 scale: -0.5 shift: 5 }"), V::kNormal,
                 [](double x) { return std::log2(5 - 0.5 * x); }),
      one_to_one("power", layer("Power"), V::kNormal, [](double x) { return x; }),
      power("power_linear", 1, -0.5, 3),
      power("power_square", 2, 1.5, -1),
      power("power_cube", 3, 0.5, 1),
      power("power_root", 0.5, 1, 9),
      power("power_negative", -0.75, 0.5, 6),
      flat(power("power_zero", 0, 2, 3)),
      flat(power("power_of_a_constant", 2, 0, 3)),

      prelu("prelu", {3, 5, 2, 3}, false),
      prelu("prelu_many_images", {70, 3, 3, 2}, false),
      prelu("prelu_rank2", {7, 5}, false),
      prelu("prelu_rank3", {2, 3, 4}, false),
      prelu("prelu_rank5", {2, 3, 2, 1, 2}, false),
      prelu("prelu_one_channel", {2, 1, 2, 3}, false),
      prelu("prelu_shared", {3, 5, 2, 3}, true),
      prelu("prelu_shared_rank3", {2, 3, 4}, true),

      bias("bias", {2, 3, 2, 5}, 1, 1, ""),
      bias("bias_rows", {2, 3, 2, 5}, 2, 2, "axis: 2 num_axes: 2"),
      bias("bias_scalar", {2, 3, 2, 5}, 1, 0, "num_axes: 0"),
      bias("bias_everything", {2, 3, 2, 3}, 0, 4, "axis: 0 num_axes: -1"),
      bias("bias_rank2", {3, 5}, 1, 1, "axis: -1"),
      bias("bias_rank3", {2, 3, 5}, 0, 2, "axis: 0 num_axes: 2"),
      bias("bias_by_bottom", {2, 3, 2, 5}, 0, 2, "axis: 0", true),
      bias("bias_by_same_shape", {2, 3, 2, 2}, 0, 4, "axis: 0", true),

      axpy("axpy", {2, 5, 1, 1}, {2, 5, 3, 2}),
      axpy("axpy_one_channel", {3, 1, 1, 1}, {3, 1, 2, 2}),
      axpy("axpy_rank2", {2, 3}, {2, 3, 1, 5}),
  };
}

}  // namespace orepa
