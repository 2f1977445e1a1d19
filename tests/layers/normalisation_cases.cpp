// Rows of the harness: layers that divide by what stands around a number.
#include <cmath>

#include "tests/layers/check_layer.h"

namespace orepa {
namespace {

using Array = std::vector<double>;

std::string layer(const std::string& type, const std::string& fields) {
  return "layer { name: \"it\" type: \"" + type + "\" top: \"y\" " + fields + " }";
}

struct LocalRule {
  int64_t size = 5;
  bool within = false;
  double alpha = 1, beta = 0.75, k = 1;
};

// The mean of the squares of a line of channels, or of a square in one; what is outside counts as
// zeros.
LayerCase lrn(const std::string& name, const Shape& x, const LocalRule& rule) {
  LayerCase row{name,
                layer("LRN", text("lrn_param { local_size: ", rule.size, " alpha: ", rule.alpha,
                                  " beta: ", rule.beta, " k: ", rule.k, " norm_region: ",
                                  rule.within ? "WITHIN_CHANNEL" : "ACROSS_CHANNELS", " }")),
                {{x}}};
  row.expected = [=](const Arrays& in, const Arrays&) {
    const int64_t half = rule.size / 2;
    const auto at = [&](int64_t n, int64_t c, int64_t h, int64_t w) {
      const bool inside = c >= 0 && c < x[1] && h >= 0 && h < x[2] && w >= 0 && w < x[3];
      return inside ? in[0][((n * x[1] + c) * x[2] + h) * x[3] + w] : 0;
    };
    Array y;
    for (int64_t n = 0; n < x[0]; ++n)
      for (int64_t c = 0; c < x[1]; ++c)
        for (int64_t h = 0; h < x[2]; ++h)
          for (int64_t w = 0; w < x[3]; ++w) {
            double sum = 0;
            for (int64_t a = -half; a <= half; ++a) {
              if (!rule.within) sum += std::pow(at(n, c + a, h, w), 2) / double(rule.size);
              for (int64_t b = -half; rule.within && b <= half; ++b)
                sum += std::pow(at(n, c, h + a, w + b), 2) / double(rule.size * rule.size);
            }
            const double k = rule.within ? 1 : rule.k;  // Caffe's oddity
            y.push_back(at(n, c, h, w) / std::pow(k + rule.alpha * sum, rule.beta));
          }
    return Arrays{y};
  };
  return row;
}

// Groups of `size` numbers in a row.
LayerCase mvn(const std::string& name, const Shape& x, int64_t size, const std::string& fields,
              bool divides, double eps = 0) {
  LayerCase row{name, layer("MVN", "mvn_param { " + fields + " }"), {{x}}};
  row.derivative = eps == 0;
  row.expected = [=](const Arrays& in, const Arrays&) {
    Array y = in[0];
    for (size_t begin = 0; begin < y.size(); begin += static_cast<size_t>(size)) {
      const auto n = static_cast<size_t>(size);
      double mean = 0, square = 0;
      for (size_t i = begin; i < begin + n; ++i) mean += y[i] / double(size);
      for (size_t i = begin; i < begin + n; ++i) square += std::pow(y[i] - mean, 2) / double(size);
      for (size_t i = begin; i < begin + n; ++i)
        y[i] = (y[i] - mean) / (divides ? std::sqrt(square) + eps : 1);
    }
    return Arrays{y};
  };
  return row;
}

LayerCase normalize(const std::string& name, const Shape& x, bool across, bool shared,
                    const std::string& fields = "") {
  LayerCase row{
      name,
      layer("Normalize", text("norm_param { across_spatial: ", across ? "true" : "false",
                              " channel_shared: ", shared ? "true" : "false", " ", fields, " }")),
      {{x}}};
  const double eps = fields.empty() ? 0 : 0.5;
  row.expected = [=](const Arrays& in, const Arrays& p) {
    const int64_t plane = x.count(2, x.rank()), sample = x.count(1, x.rank());
    const auto is_of = [=](int64_t i, int64_t j) {  // one norm
      return i / sample == j / sample && (across || i % plane == j % plane);
    };
    Array y;
    for (int64_t i = 0; i < x.count(); ++i) {
      double square = eps;
      for (int64_t j = 0; j < x.count(); ++j)
        if (is_of(i, j)) square += in[0][j] * in[0][j];
      y.push_back(in[0][i] / std::sqrt(square) * p[0][shared ? 0 : i / plane % x[1]]);
    }
    return Arrays{y};
  };
  return row;
}

}  // namespace

std::vector<LayerCase> normalisation_cases() {
  return {
      lrn("lrn", {2, 7, 3, 2}, {}),
      lrn("lrn_few_channels", {2, 3, 2, 2}, {7}),
      lrn("lrn_one_channel", {2, 1, 2, 3}, {3, false, 0.5, 0.75, 2}),
      lrn("lrn_power", {1, 5, 2, 3}, {3, false, 0.5, 0.5, 2}),
      lrn("lrn_many_channels", {1, 70, 1, 2}, {5}),
      lrn("lrn_within", {2, 3, 4, 5}, {3, true, 2}),
      lrn("lrn_within_k", {1, 5, 3, 4}, {5, true, 1.5, 0.6, 3}),
      lrn("lrn_within_small", {2, 3, 2, 3}, {9, true}),

      mvn("mvn", {2, 3, 4, 5}, 20, "", true),
      mvn("mvn_rank3", {2, 3, 7}, 7, "", true),
      mvn("mvn_across", {2, 3, 2, 5}, 30, "across_channels: true", true),
      mvn("mvn_across_rank2", {3, 9}, 9, "across_channels: true", true),
      mvn("mvn_mean", {2, 3, 4, 5}, 20, "normalize_variance: false", false),
      mvn("mvn_eps", {2, 3, 4, 5}, 20, "eps: 0.5", true, 0.5),

      normalize("normalize", {2, 5, 2, 3}, true, true),
      normalize("normalize_channels", {2, 5, 2, 3}, true, false),
      normalize("normalize_pixels", {2, 5, 2, 3}, false, true),
      normalize("normalize_pixels_channels", {2, 5, 2, 3}, false, false),
      normalize("normalize_eps", {2, 5, 1, 3}, false, false, "eps: 0.5"),
      normalize("normalize_rank2", {3, 7}, false, false),
      normalize("normalize_many_pixels", {3, 3, 12, 11}, false, true),
  };
}

}  // namespace orepa
