#include "reparam/linear_layers.h"

namespace orepa {

std::optional<LinearShape> linear_shape(const LayerSpec& spec, const Shape& input,
                                        const Shape& output) {
  const std::optional<LinearRole>& role = layer_roles(spec.type).linear;
  if (!role || (input.rank() != 2 && input.rank() != 4)) return std::nullopt;
  return role->shape(spec, input, output);
}

LinearMap linear_map(const LayerSpec& spec, const LinearShape& shape,
                     const Parameters& parameters) {
  LinearMap map(shape);
  layer_roles(spec.type).linear.value().read(spec, parameters, map);
  return map;
}

std::vector<double> sum_factors(const LayerSpec& spec, size_t inputs) {
  const LayerRoles& roles = layer_roles(spec.type);
  return roles.sum_factors == nullptr ? std::vector<double>() : roles.sum_factors(spec, inputs);
}

bool is_linear(const LayerSpec& spec, LinearRole::Kind kind) {
  const std::optional<LinearRole>& role = layer_roles(spec.type).linear;
  return role && role->kind == kind;
}

}  // namespace orepa
