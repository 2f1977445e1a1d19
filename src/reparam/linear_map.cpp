#include "reparam/linear_map.h"

#include <algorithm>
#include <numeric>

#include "orepa/error.h"

namespace orepa {
namespace {

using Axis = LinearMap::Axis;

// The taps of the first map's kernel and those of the second lie on one grid.
Axis chained(const Axis& first, const Axis& second) {
  Axis axis;
  axis.stride = first.stride * second.stride;
  axis.pad = first.pad + second.pad * first.stride;
  const int64_t second_dilation = second.dilation * first.stride;
  const int64_t reach = first.reach() + (second.size - 1) * second_dilation;
  axis.dilation = second.size == 1                    ? first.dilation
                  : first.size == 1                   ? second_dilation
                  : first.dilation == second_dilation ? first.dilation
                                                      : 1;
  axis.size = (reach - 1) / axis.dilation + 1;
  return axis;
}

// The smallest window that holds those of all terms, around the same pixel.
Axis around(const std::vector<Term>& terms, int which) {
  Axis axis = terms[0].map->axes[which];
  int64_t behind = 0, dilation = 0;
  axis.pad = 0;
  for (const Term& term : terms) {
    const Axis& own = term.map->axes[which];
    axis.pad = std::max(axis.pad, own.pad);
    behind = std::max(behind, own.reach() - own.pad);
    if (own.size > 1 && dilation != own.dilation) dilation = dilation == 0 ? own.dilation : 1;
  }
  for (const Term& term : terms)
    if (dilation > 1 && (axis.pad - term.map->axes[which].pad) % dilation != 0) dilation = 1;
  axis.dilation = std::max<int64_t>(dilation, 1);
  axis.size = (axis.pad + behind - 1) / axis.dilation + 1;
  return axis;
}

}  // namespace

bool LinearMap::is_channelwise() const {
  const auto plain = [](const Axis& axis) {
    return axis.size == 1 && axis.stride == 1 && axis.pad == 0;
  };
  return groups == inputs && groups == outputs && plain(axes[0]) && plain(axes[1]);
}

LinearMap LinearMap::identity(int64_t channels) {
  LinearMap map;
  map.outputs = map.inputs = map.groups = channels;
  map.kernel.assign(static_cast<size_t>(channels), 1.0);
  return map;
}

std::string cannot_chain(const LinearMap& first, const LinearMap& second) {
  for (const int which : {0, 1}) {
    const Axis &a = first.axes[which], &b = second.axes[which];
    if (b.pad == 0) continue;
    if (a.size > 1 || a.pad > 0)
      return "it pads with zeros what the kernel before it would go on computing outside";
    if (!first.bias.empty())
      return "it pads with zeros where the layers before it give their bias (BatchNormPad would "
             "not)";
  }
  return "";
}

LinearMap chain(const LinearMap& first, const LinearMap& second) {
  LinearMap map;
  map.outputs = second.outputs;
  map.inputs = first.inputs;
  map.groups = std::gcd(first.groups, second.groups);
  for (const int which : {0, 1}) map.axes[which] = chained(first.axes[which], second.axes[which]);
  const int64_t inputs = map.inputs_per_group(), taps = map.taps();
  const int64_t first_inputs = first.inputs_per_group(), middle = second.inputs_per_group();
  map.kernel.assign(static_cast<size_t>(map.outputs * taps * inputs), 0.0);
  map.bias = second.bias;
  if (!first.bias.empty()) map.bias.resize(static_cast<size_t>(map.outputs), 0.0);

  // Where tap (p, q) of the first kernel under tap (r, s) of the second lies in the product's.
  const auto place = [&](int which, int64_t first_tap, int64_t second_tap) {
    const int64_t offset = first_tap * first.axes[which].dilation +
                           second_tap * second.axes[which].dilation * first.axes[which].stride;
    return offset / map.axes[which].dilation;
  };
  const int64_t outputs_a_group = second.outputs / second.groups;
  const int64_t first_outputs_a_group = first.outputs / first.groups;
  const int64_t map_outputs_a_group = map.outputs / map.groups;
  for (int64_t o = 0; o < map.outputs; ++o)
    for (int64_t r = 0; r < second.axes[0].size; ++r)
      for (int64_t s = 0; s < second.axes[1].size; ++s)
        for (int64_t m = 0; m < middle; ++m) {
          const int64_t t = o / outputs_a_group * middle + m;
          const double weight =
              second.kernel[((o * second.axes[0].size + r) * second.axes[1].size + s) * middle + m];
          if (!first.bias.empty()) map.bias[o] += weight * first.bias[t];
          const int64_t from_input =
              t / first_outputs_a_group * first_inputs - o / map_outputs_a_group * inputs;
          for (int64_t p = 0; p < first.axes[0].size; ++p)
            for (int64_t q = 0; q < first.axes[1].size; ++q) {
              const int64_t tap = place(0, p, r) * map.axes[1].size + place(1, q, s);
              const double* from =
                  &first.kernel[((t * first.axes[0].size + p) * first.axes[1].size + q) *
                                first_inputs];
              double* to = &map.kernel[(o * taps + tap) * inputs + from_input];
              for (int64_t i = 0; i < first_inputs; ++i) to[i] += weight * from[i];
            }
        }
  return map;
}

std::string cannot_add(const std::vector<Term>& terms, const std::array<int64_t, 2>& input,
                       const std::array<int64_t, 2>& output) {
  for (const int which : {0, 1}) {
    for (const Term& term : terms)
      if (term.map->axes[which].stride != terms[0].map->axes[which].stride)
        return "the branches have different strides";
    if (around(terms, which).output(input[which]) != output[which])
      return "the branches read the image at places that no one window has";
  }
  return "";
}

LinearMap add(const std::vector<Term>& terms) {
  LinearMap map;
  map.outputs = terms[0].map->outputs;
  map.inputs = terms[0].map->inputs;
  map.groups = 0;
  for (const Term& term : terms) map.groups = std::gcd(map.groups, term.map->groups);
  for (const int which : {0, 1}) map.axes[which] = around(terms, which);
  const int64_t inputs = map.inputs_per_group(), taps = map.taps();
  map.kernel.assign(static_cast<size_t>(map.outputs * taps * inputs), 0.0);
  for (const Term& term : terms) {
    const LinearMap& own = *term.map;
    const int64_t own_inputs = own.inputs_per_group();
    const auto place = [&](int which, int64_t tap) {
      return (tap * own.axes[which].dilation + map.axes[which].pad - own.axes[which].pad) /
             map.axes[which].dilation;
    };
    for (int64_t o = 0; o < map.outputs; ++o) {
      const int64_t from_input =
          o / (own.outputs / own.groups) * own_inputs - o / (map.outputs / map.groups) * inputs;
      for (int64_t p = 0; p < own.axes[0].size; ++p)
        for (int64_t q = 0; q < own.axes[1].size; ++q) {
          const int64_t tap = place(0, p) * map.axes[1].size + place(1, q);
          const double* from =
              &own.kernel[((o * own.axes[0].size + p) * own.axes[1].size + q) * own_inputs];
          double* to = &map.kernel[(o * taps + tap) * inputs + from_input];
          for (int64_t i = 0; i < own_inputs; ++i) to[i] += term.factor * from[i];
        }
    }
    if (own.bias.empty()) continue;
    map.bias.resize(static_cast<size_t>(map.outputs), 0.0);
    for (int64_t o = 0; o < map.outputs; ++o) map.bias[o] += term.factor * own.bias[o];
  }
  return map;
}

}  // namespace orepa
