// The base of Exp and of Log.
#pragma once
#include <cmath>

#include "orepa/layer.h"

namespace orepa {

// The natural logarithm of the field `base`, whose -1 stands for e.
inline double log_of_base(const Options& options) {
  const double base = options.number("base");
  return base == -1 ? 1 : std::log(base);
}
inline double log_of_base(const Setup& setup, const Options& options) {
  const double base = options.number("base");
  setup.require(base == -1 || base > 0, "base must be positive, or -1 for e; got ", base);
  return log_of_base(options);
}

}  // namespace orepa
