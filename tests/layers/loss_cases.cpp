// Rows of the harness: losses (SoftmaxWithLoss stands in layer_cases.cpp) and Embed, against their
// formulas in double.
#include <algorithm>
#include <cmath>

#include "tests/layers/check_layer.h"

namespace orepa {
namespace {

using V = TestInput::Values;
using Array = std::vector<double>;

std::string layer(const std::string& type, const std::string& fields = "", int tops = 1) {
  return text("layer { name: \"it\" type: \"", type, "\" top: \"y\" ",
              tops > 1 ? "top: \"p\" " : "", fields, " }");
}

// The sum of term(k) over all numbers, by `divisor`.
template <class Term>
Arrays sum(size_t count, double divisor, Term term) {
  double total = 0;
  for (size_t k = 0; k < count; ++k) total += term(k);
  return {{total / divisor}};
}

LayerCase of_pairs(const std::string& name, const std::string& text, const Shape& a, const Shape& b,
                   std::function<double(double)> f) {
  LayerCase row{name, text, {{a}, {b}}};
  row.expected = [=](const Arrays& in, const Arrays&) {
    return sum(in[0].size(), double(a[0]), [&](size_t k) { return f(in[0][k] - in[1][k]); });
  };
  return row;
}

double half_square(double d) { return d * d / 2; }

std::function<double(double)> smooth_l1(double sigma) {
  const double s2 = sigma * sigma;
  return [s2](double d) { return std::abs(d) < 1 / s2 ? s2 * d * d / 2 : std::abs(d) - 0.5 / s2; };
}

// Weights of the differences, and of the terms where there are four bottoms.
LayerCase weighted_smooth_l1(const std::string& name, int bottoms) {
  LayerCase row{name, layer("SmoothL1Loss", "smooth_l1_loss_param { sigma: 2 }"), {}};
  for (int i = 0; i < bottoms; ++i) row.inputs.push_back({{3, 2, 2, 3}});
  row.expected = [=](const Arrays& in, const Arrays&) {
    return sum(in[0].size(), 3, [&](size_t k) {
      return (bottoms > 3 ? in[3][k] : 1) * smooth_l1(2)(in[2][k] * (in[0][k] - in[1][k]));
    });
  };
  return row;
}

struct SigmoidRule {
  std::string normalization = "BATCH_SIZE";
  double ignored = -1;
};

LayerCase sigmoid_cross_entropy(const std::string& name, const Shape& x, const TestInput& target,
                                const std::string& fields, const SigmoidRule& rule) {
  LayerCase row{name, layer("SigmoidCrossEntropyLoss", fields), {{x}, target}};
  row.expected = [=](const Arrays& in, const Arrays&) {
    double counted = 0;
    for (const double t : in[1]) counted += t != rule.ignored;
    const double divisor = rule.normalization == "BATCH_SIZE" ? double(x[0])
                           : rule.normalization == "FULL"     ? double(x.count())
                           : rule.normalization == "NONE"     ? 1
                                                              : counted;
    return sum(in[0].size(), divisor, [&](size_t k) {
      const double p = 1 / (1 + std::exp(-in[0][k])), t = in[1][k];
      return t == rule.ignored ? 0 : -t * std::log(p) - (1 - t) * std::log(1 - p);
    });
  };
  return row;
}

// All numbers of a sample are classes.
LayerCase hinge(const std::string& name, const Shape& x, const Shape& labels, bool squared) {
  const int64_t classes = x.count() / x[0];
  LayerCase row{name,
                layer("HingeLoss", squared ? "hinge_loss_param { norm: L2 }" : ""),
                {{x}, {labels, V::kLabels, classes}}};
  row.expected = [=](const Arrays& in, const Arrays&) {
    return sum(in[0].size(), double(x[0]), [&](size_t k) {
      const auto n = static_cast<int64_t>(k) / classes, c = static_cast<int64_t>(k) % classes;
      const double sign = static_cast<int64_t>(in[1][n]) == c ? -1 : 1;
      const double margin = std::max(0.0, 1 + sign * in[0][k]);
      return squared ? margin * margin : margin;
    });
  };
  return row;
}

LayerCase contrastive(const std::string& name, const Shape& x, double margin, bool legacy) {
  const int64_t columns = x.count() / x[0];
  LayerCase row{name,
                layer("ContrastiveLoss", text("contrastive_loss_param { margin: ", margin,
                                              legacy ? " legacy_version: true }" : " }")),
                {{x}, {x}, {{x[0]}, V::kLabels, 2}}};
  row.expected = [=](const Arrays& in, const Arrays&) {
    return sum(static_cast<size_t>(x[0]), double(x[0]), [&](size_t n) {
      double square = 0;
      for (int64_t j = 0; j < columns; ++j)
        square += std::pow(in[0][n * columns + j] - in[1][n * columns + j], 2);
      if (in[2][n] != 0) return square / 2;
      const double missing = std::max(0.0, margin - (legacy ? square : std::sqrt(square)));
      return (legacy ? missing : missing * missing) / 2;
    });
  };
  return row;
}

struct InfogainRule {
  int axis = 1, ignored = -1, tops = 1;
  std::string normalization = "VALID";
};

LayerCase infogain(const std::string& name, const Shape& x, const Shape& labels, const Shape& gain,
                   const std::string& fields, const InfogainRule& rule) {
  const int64_t outer = x.count(0, rule.axis), classes = x[rule.axis],
                inner = x.count(rule.axis + 1, x.rank());
  LayerCase row{name,
                layer("InfogainLoss",
                      text("infogain_loss_param { axis: ", rule.axis, " } ", fields), rule.tops),
                {{x}, {labels, V::kLabels, classes}, {gain}}};
  row.differentiable_tops = 1;
  row.expected = [=](const Arrays& in, const Arrays&) {
    double loss = 0, counted = 0;
    Array p(in[0].size());
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t i = 0; i < inner; ++i) {
        const auto at = [&](int64_t k) { return (o * classes + k) * inner + i; };
        double all = 0;
        for (int64_t k = 0; k < classes; ++k) all += std::exp(in[0][at(k)]);
        for (int64_t k = 0; k < classes; ++k) p[at(k)] = std::exp(in[0][at(k)]) / all;
        const auto label = static_cast<int64_t>(in[1][o * inner + i]);
        if (label == rule.ignored) continue;
        ++counted;
        for (int64_t k = 0; k < classes; ++k)
          loss -= in[2][label * classes + k] * std::log(p[at(k)]);
      }
    const double divisor = rule.normalization == "NONE"         ? 1
                           : rule.normalization == "BATCH_SIZE" ? double(outer)
                           : rule.normalization == "FULL"       ? double(outer * inner)
                                                                : counted;
    Arrays out{{loss / divisor}};
    if (rule.tops == 2) out.push_back(p);
    return out;
  };
  return row;
}

// Of what a Sigmoid makes: probabilities of their own accord.
LayerCase multinomial(const std::string& name, const Shape& p, const Shape& labels) {
  const int64_t classes = p.count() / p[0];
  LayerCase row{
      name, layer("MultinomialLogisticLoss"), {{p, V::kPositive}, {labels, V::kLabels, classes}}};
  row.expected = [=](const Arrays& in, const Arrays&) {
    return sum(static_cast<size_t>(p[0]), double(p[0]), [&](size_t n) {
      return -std::log(in[0][n * classes + static_cast<size_t>(in[1][n])]);
    });
  };
  return row;
}

LayerCase embed(const std::string& name, const Shape& words, int64_t known, int64_t outputs,
                bool bias) {
  LayerCase row{name,
                layer("Embed", text("embed_param { input_dim: ", known, " num_output: ", outputs,
                                    bias ? " }" : " bias_term: false }")),
                {{words, V::kLabels, known}}};
  row.expected = [=](const Arrays& in, const Arrays& p) {
    Array y;
    for (const double word : in[0])
      for (int64_t j = 0; j < outputs; ++j)
        y.push_back(p[0][static_cast<int64_t>(word) * outputs + j] + (bias ? p[1][j] : 0));
    return Arrays{y};
  };
  return row;
}

}  // namespace

std::vector<LayerCase> loss_cases() {
  const TestInput ignoring{{4, 3, 2}, V::kLabels, 3};
  const std::string ignore = "loss_param { ignore_label: 2 normalization: ";
  return {
      sigmoid_cross_entropy("sigmoid_loss", {4, 3}, {{4, 3}}, "", {}),
      sigmoid_cross_entropy("sigmoid_loss_one", {1, 1}, {{1}}, "", {}),
      sigmoid_cross_entropy("sigmoid_loss_image", {2, 3, 2, 3}, {{2, 3, 2, 3}}, "", {}),
      sigmoid_cross_entropy("sigmoid_loss_image_by_rows", {2, 3, 2, 3}, {{2, 18}}, "", {}),
      sigmoid_cross_entropy("sigmoid_loss_normalize", {4, 3}, {{4, 3}},
                            "loss_param { normalize: true }", {"FULL"}),
      sigmoid_cross_entropy("sigmoid_loss_valid", {4, 3, 2}, ignoring, ignore + "VALID }",
                            {"VALID", 2}),
      sigmoid_cross_entropy("sigmoid_loss_full", {4, 3, 2}, ignoring, ignore + "FULL }",
                            {"FULL", 2}),
      sigmoid_cross_entropy("sigmoid_loss_none", {4, 3, 2}, ignoring, ignore + "NONE }",
                            {"NONE", 2}),
      sigmoid_cross_entropy("sigmoid_loss_batch_size", {4, 3, 2}, ignoring, ignore + "BATCH_SIZE }",
                            {"BATCH_SIZE", 2}),

      of_pairs("euclidean_loss", layer("EuclideanLoss"), {5, 3}, {5, 3}, half_square),
      of_pairs("euclidean_loss_one", layer("EuclideanLoss"), {1}, {1, 1}, half_square),
      of_pairs("euclidean_loss_images", layer("EuclideanLoss"), {3, 2, 3, 5}, {3, 2, 3, 5},
               half_square),
      of_pairs("euclidean_loss_image_and_rows", layer("EuclideanLoss"), {3, 2, 3, 5}, {3, 30},
               half_square),
      of_pairs("euclidean_loss_rows_and_image", layer("EuclideanLoss"), {3, 5, 6}, {3, 3, 5, 2},
               half_square),

      of_pairs("smooth_l1_loss", layer("SmoothL1Loss"), {7, 3}, {7, 3}, smooth_l1(1)),
      of_pairs("smooth_l1_loss_sigma", layer("SmoothL1Loss", "smooth_l1_loss_param { sigma: 0.5 }"),
               {7, 3}, {7, 3}, smooth_l1(0.5)),
      of_pairs("smooth_l1_loss_image_and_rows", layer("SmoothL1Loss"), {2, 3, 3, 2}, {2, 18},
               smooth_l1(1)),
      weighted_smooth_l1("smooth_l1_loss_inside", 3),
      weighted_smooth_l1("smooth_l1_loss_inside_outside", 4),

      hinge("hinge_loss", {5, 4}, {5}, false),
      hinge("hinge_loss_squared", {5, 4}, {5, 1}, true),
      hinge("hinge_loss_image", {3, 2, 3, 2}, {3, 1, 1, 1}, true),

      contrastive("contrastive_loss", {7, 5}, 2.5, false),
      contrastive("contrastive_loss_images", {7, 3, 1, 1}, 2, false),
      contrastive("contrastive_loss_wide", {3, 2, 3, 2}, 7, false),
      contrastive("contrastive_loss_legacy", {7, 5}, 9, true),

      infogain("infogain_loss", {4, 5}, {4}, {5, 5}, "", {}),
      infogain("infogain_loss_image", {2, 3, 2, 3}, {2, 1, 2, 3}, {1, 1, 3, 3}, "", {}),
      infogain("infogain_loss_axis2", {2, 3, 5}, {2, 3}, {25},
               "loss_param { normalization: BATCH_SIZE }", {2, -1, 1, "BATCH_SIZE"}),
      infogain("infogain_loss_ignore", {2, 3, 2, 3}, {2, 2, 3}, {3, 3},
               "loss_param { ignore_label: 1 }", {1, 1}),
      infogain("infogain_loss_probabilities", {3, 4}, {3}, {1, 4, 4, 1},
               "loss_param { normalization: NONE }", {1, -1, 2, "NONE"}),

      multinomial("multinomial_loss", {5, 4}, {5}),
      multinomial("multinomial_loss_image", {3, 2, 3, 2}, {3, 1}),

      embed("embed", {3, 5}, 7, 4, true),
      embed("embed_one_word", {1}, 3, 5, false),
      embed("embed_to_rank4", {3, 2, 5}, 4, 3, true),
      embed("embed_of_rank4", {2, 3, 2, 2}, 5, 3, false),
      embed("embed_often", {300}, 3, 2, true),
  };
}

}  // namespace orepa
