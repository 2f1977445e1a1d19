#include "layers/window.h"

namespace orepa {
namespace {

// Sound sizes of windows: their sums stay far from overflow.
constexpr int64_t kLargest = int64_t{1} << 30;

}  // namespace

Pair read_pair(const LayerSpec& spec, const Options& options, const std::string& field,
               const std::string& short_name, int64_t fallback) {
  const std::string where = spec.where();
  const std::string place = options.where(field);
  std::vector<int64_t> values;
  const bool split =
      !short_name.empty() && (options.has(short_name + "_h") || options.has(short_name + "_w"));
  if (split) {
    require(!options.has(field), where, "either ", field, " or ", short_name, "_h and ", short_name,
            "_w can be given, not both");
    values = {options.integer(short_name + "_h"), options.integer(short_name + "_w")};
  } else if (options.has(field)) {
    values = options.repeated(field) ? options.integers(field)
                                     : std::vector<int64_t>{options.integer(field)};
  } else {
    values = {fallback};
  }
  require(values.size() <= 2, where, field, " has ", values.size(),
          " values; give one for both axes, or height and width");
  for (const int64_t value : values)
    require(value >= 0 && value <= kLargest, where, field, " is ", value, " (", place,
            "); it must lie between 0 and 2^30");
  return {values.front(), values.back()};
}

}  // namespace orepa
