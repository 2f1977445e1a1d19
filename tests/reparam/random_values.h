// Weights as a trained net has them: statistics, scales and shifts far from their initial values.
#pragma once
#include <string>
#include <vector>

#include "orepa/params.h"

namespace orepa {

inline void fill_as_trained(Parameters& parameters, uint64_t seed) {
  for (const auto& parameter : parameters.all()) {
    if (parameter->kind == Parameter::Kind::kDerived || parameter->name == "factor") continue;
    const bool variance = parameter->name == "variance";
    Filler filler;
    filler.type = "uniform";
    filler.min = variance ? 0.2 : -0.5;
    filler.max = variance ? 2 : 0.5;
    std::vector<float> values = parameters.read(*parameter), noise(values.size());
    filler.fill(parameter->value.shape, seed, parameter->path(), noise.data());
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = variance ? noise[i] : values[i] + noise[i];
    parameters.write(*parameter, values);
  }
}

}  // namespace orepa
