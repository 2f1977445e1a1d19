#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "orepa/error.h"
#include "orepa/params.h"
#include "orepa/random.h"

namespace orepa {
namespace {

struct Fill {
  const Filler& filler;
  const Shape& shape;
  Random random;
  float* values;

  int64_t count() const { return shape.count(); }
  // Caffe's fans: the numbers a unit reads, and the units that read a number.
  double fan_in() const { return static_cast<double>(shape.rank() > 0 ? count() / shape[0] : 1); }
  double fan_out() const {
    return static_cast<double>(shape.rank() > 1 ? count() / shape[1] : count());
  }
  double fan() const {
    if (filler.variance_norm == "FAN_OUT") return fan_out();
    if (filler.variance_norm == "AVERAGE") return (fan_in() + fan_out()) / 2;
    return fan_in();
  }

  void uniform(double low, double high) const {
    for (int64_t i = 0; i < count(); ++i)
      values[i] = static_cast<float>(low + (high - low) * random.uniform(i));
  }
  void normal(double mean, double std) const {
    for (int64_t i = 0; i < count(); ++i)
      values[i] = static_cast<float>(mean + std * random.normal(i));
  }

  void constant() const { std::fill(values, values + count(), static_cast<float>(filler.value)); }
  void uniform() const { uniform(filler.min, filler.max); }
  void gaussian() const {
    normal(filler.mean, filler.std);
    if (filler.sparse < 0) return;
    // On average `sparse` numbers that are not zero for each output.
    const double keep = static_cast<double>(filler.sparse) / static_cast<double>(shape[0]);
    for (int64_t i = 0; i < count(); ++i)
      if (random.uniform(2 * count() + i) >= keep) values[i] = 0;
  }
  void positive_unitball() const {
    uniform(0, 1);
    const int64_t units = shape.rank() > 0 ? shape[0] : 1, each = count() / units;
    for (int64_t u = 0; u < units; ++u) {
      double sum = 0;
      for (int64_t i = u * each; i < (u + 1) * each; ++i) sum += values[i];
      for (int64_t i = u * each; i < (u + 1) * each; ++i)
        values[i] = static_cast<float>(values[i] / sum);
    }
  }
  void xavier() const {
    const double bound = std::sqrt(3 / fan());
    uniform(-bound, bound);
  }
  void msra() const { normal(0, std::sqrt(2 / fan())); }
  void kaiming_uniform() const {
    const double bound = std::sqrt(6 / ((1 + filler.slope * filler.slope) * fan_in()));
    uniform(-bound, bound);
  }
  // Interpolation weights for upsampling by deconvolution.
  void bilinear() const {
    require(shape.rank() == 4 && shape[2] == shape[3], filler.where,
            filler.where.empty() ? "" : ": ", "filler \"bilinear\" needs a square kernel, got ",
            shape.str());
    const int64_t size = shape[3];
    const int64_t factor = (size + 1) / 2;
    const double centre = static_cast<double>(2 * factor - 1 - factor % 2) / (2.0 * factor);
    const auto weight = [&](int64_t i) {
      return 1 - std::fabs(static_cast<double>(i) / factor - centre);
    };
    for (int64_t i = 0; i < count(); ++i)
      values[i] = static_cast<float>(weight(i % size) * weight(i / size % size));
  }
  // A matrix (rows, columns, 1, 1) with 1 where the row is the column modulo the number of columns.
  void identity() const {
    const int64_t columns = count() / shape[0];
    for (int64_t i = 0; i < count(); ++i)
      values[i] = i / columns % columns == i % columns ? 1.0f : 0.0f;
  }
};

const std::map<std::string, void (Fill::*)() const>& fillers() {
  static const std::map<std::string, void (Fill::*)() const> table = {
      {"constant", &Fill::constant}, {"uniform", &Fill::uniform},
      {"gaussian", &Fill::gaussian}, {"positive_unitball", &Fill::positive_unitball},
      {"xavier", &Fill::xavier},     {"msra", &Fill::msra},
      {"bilinear", &Fill::bilinear}, {"kaiming_uniform", &Fill::kaiming_uniform},
      {"identity", &Fill::identity}};
  return table;
}

}  // namespace

Filler Filler::constant(double value) {
  Filler filler;
  filler.value = value;
  return filler;
}

Filler Filler::kaiming_uniform(double slope) {
  Filler filler;
  filler.type = "kaiming_uniform";
  filler.slope = slope;
  return filler;
}

Filler Filler::from(const Options& options, const std::string& field, const Filler& fallback) {
  return options.has(field) ? from_message(options.message(field)) : fallback;
}

Filler Filler::from_message(const Options& given) {
  Filler filler;
  filler.type = given.string("type");
  filler.value = given.number("value");
  filler.min = given.number("min");
  filler.max = given.number("max");
  filler.mean = given.number("mean");
  filler.std = given.number("std");
  filler.slope = given.number("slope");
  filler.sparse = given.integer("sparse");
  filler.variance_norm = given.choice("variance_norm");
  filler.where = given.where();
  if (!fillers().contains(filler.type)) {
    std::vector<std::string> known;
    std::string list;
    for (const auto& [name, fill] : fillers()) {
      known.push_back(name);
      list += (list.empty() ? "" : ", ") + name;
    }
    fail(given.where("type"), ": unknown filler \"", filler.type, "\"",
         did_you_mean(filler.type, known, "; there are " + list));
  }
  return filler;
}

void Filler::fill(const Shape& shape, uint64_t seed, const std::string& purpose,
                  float* values) const {
  const Fill fill{*this, shape, Random(seed, "fill " + purpose), values};
  (fill.*fillers().at(type))();
}

}  // namespace orepa
