#include "layers/linear.h"

namespace orepa {

std::vector<double> read_numbers(const Parameters& parameters, const LayerSpec& spec,
                                 const std::string& name) {
  const Parameter* parameter = parameters.find(spec.name, name);
  require(parameter != nullptr, spec.where(), "it has no parameter \"", name, "\"");
  const std::vector<float> values = parameters.read(*parameter);
  return {values.begin(), values.end()};
}

std::vector<double> channels_last(const std::vector<double>& kernel, int64_t outputs,
                                  int64_t inputs, int64_t taps) {
  std::vector<double> turned(kernel.size());
  for (int64_t o = 0; o < outputs; ++o)
    for (int64_t i = 0; i < inputs; ++i)
      for (int64_t tap = 0; tap < taps; ++tap)
        turned[(o * taps + tap) * inputs + i] = kernel[(o * inputs + i) * taps + tap];
  return turned;
}

}  // namespace orepa
