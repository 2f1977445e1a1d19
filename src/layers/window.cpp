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

ConvolutionWindows read_windows(const LayerSpec& spec, const Options& options) {
  return {read_pair(spec, options, "kernel_size", "kernel", 0),
          read_pair(spec, options, "stride", "stride", 1),
          read_pair(spec, options, "pad", "pad", 0), read_pair(spec, options, "dilation", "", 1)};
}

ConvolutionWindows read_windows(const Setup& setup) {
  const Options options = setup.options().message("convolution_param");
  const Shape& x = setup.input(0);
  setup.require(x.rank() == 4, "bottom must be N x C x H x W, got ", x.str());
  setup.require(options.integer("axis") == 1, "axis must be 1, got ", options.integer("axis"));
  const ConvolutionWindows windows = read_windows(setup.spec(), options);
  const auto require_positive = [&](const std::string& field, const Pair& pair) {
    setup.require(pair[0] > 0 && pair[1] > 0, field, " must be positive, got ", pair[0], " x ",
                  pair[1]);
  };
  require_positive("kernel_size", windows.kernel);
  require_positive("stride", windows.stride);
  require_positive("dilation", windows.dilation);
  return windows;
}

}  // namespace orepa
