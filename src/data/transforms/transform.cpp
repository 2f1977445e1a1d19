#include "data/transforms/transform.h"

#include "orepa/error.h"

namespace orepa {

double checked(const Options& options, const char* field, double value, bool sound,
               const char* bounds) {
  require(sound, options.where(field), ": ", field, " must ", bounds, ", got ", value);
  return value;
}

Extent extent_of(const Options& options) {
  constexpr int64_t kMost = 1 << 14;
  const bool square = options.has("size");
  const bool sides = options.has("height") && options.has("width");
  require(square != sides && (sides || (!options.has("height") && !options.has("width"))),
          options.where(), ": give either size, for a square, or height and width");
  for (const char* field : {"size", "height", "width"})
    if (options.has(field)) {
      const auto side = static_cast<double>(options.integer(field));
      checked(options, field, side, side >= 1 && side <= kMost, "lie between 1 and 16384");
    }
  if (square) return {options.integer("size"), options.integer("size")};
  return {options.integer("height"), options.integer("width")};
}

Filter filter_of(const Options& options) {
  return options.flag("antialias") ? Filter::kAntialias : Filter::kBilinear;
}

float probability_of(const Options& options) {
  const double p = options.number("probability");
  return static_cast<float>(checked(options, "probability", p, p >= 0 && p <= 1, "lie in [0, 1]"));
}

}  // namespace orepa
