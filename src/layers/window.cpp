#include "layers/window.h"

#include <algorithm>

namespace orepa {
namespace {

// Sound sizes of windows: their sums stay far from overflow.
constexpr int64_t kLargest = int64_t{1} << 30;

// One value for each of `axes`.
std::vector<int64_t> read_along(const LayerSpec& spec, const Options& options,
                                const std::string& field, const std::string& short_name,
                                int64_t fallback, int axes) {
  const std::string where = spec.where();
  const std::string place = options.where(field);
  std::vector<int64_t> values;
  const bool split =
      !short_name.empty() && (options.has(short_name + "_h") || options.has(short_name + "_w"));
  if (split) {
    require(!options.has(field), where, "either ", field, " or ", short_name, "_h and ", short_name,
            "_w can be given, not both");
    require(axes == 2, where, short_name, "_h and ", short_name,
            "_w are of two axes, and there are ", axes, "; give ", field, " for each");
    values = {options.integer(short_name + "_h"), options.integer(short_name + "_w")};
  } else if (options.has(field)) {
    values = options.repeated(field) ? options.integers(field)
                                     : std::vector<int64_t>{options.integer(field)};
  } else {
    values = {fallback};
  }
  const auto given = static_cast<int>(values.size());
  require(given == 1 || given == axes, where, field, " has ", given,
          given == 1 ? " value" : " values", "; give one for all axes, or one for each of the ",
          axes);
  for (const int64_t value : values)
    require(value >= 0 && value <= kLargest, where, field, " is ", value, " (", place,
            "); it must lie between 0 and 2^30");
  if (given != axes) values.resize(static_cast<size_t>(axes), values[0]);
  return values;
}

}  // namespace

Pair read_pair(const LayerSpec& spec, const Options& options, const std::string& field,
               const std::string& short_name, int64_t fallback) {
  const std::vector<int64_t> values = read_along(spec, options, field, short_name, fallback, 2);
  return {values[0], values[1]};
}

ConvolutionWindows read_windows(const LayerSpec& spec, const Options& options, int axes) {
  return {read_along(spec, options, "kernel_size", "kernel", 0, axes),
          read_along(spec, options, "stride", "stride", 1, axes),
          read_along(spec, options, "pad", "pad", 0, axes),
          read_along(spec, options, "dilation", "", 1, axes)};
}

ConvolutionWindows read_windows(const Setup& setup, int axis) {
  const Options options = setup.options().message("convolution_param");
  const int axes = setup.input(0).rank() - axis - 1;
  setup.require(axes > 0 || !options.has("kernel_size") ||
                    options.integers("kernel_size") == std::vector<int64_t>{1},
                "kernel_size needs an axis behind that of the channels, axis ", axis,
                " of the bottom ", setup.input(0).str());
  const ConvolutionWindows windows = read_windows(setup.spec(), options, axes);
  const auto require_positive = [&](const std::string& field, const std::vector<int64_t>& along) {
    setup.require(std::all_of(along.begin(), along.end(), [](int64_t value) { return value > 0; }),
                  field, " must be positive, got ", Shape(along).str());
  };
  require_positive("kernel_size", windows.kernel);
  require_positive("stride", windows.stride);
  require_positive("dilation", windows.dilation);
  return windows;
}

bool is_planar(const Options& options) {
  for (const char* field : {"kernel_size", "stride", "pad", "dilation"})
    if (options.size(field) > 2) return false;
  return options.integer("axis") == 1 || options.integer("axis") == -3;
}

}  // namespace orepa
