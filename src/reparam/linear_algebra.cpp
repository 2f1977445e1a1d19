#include "reparam/linear_algebra.h"

#include <algorithm>
#include <numeric>

#include "orepa/error.h"

namespace orepa {
namespace {

using Axis = LinearShape::Axis;

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
Axis around(const std::vector<LinearShape>& terms, int which) {
  Axis axis = terms[0].axes[which];
  int64_t behind = 0, dilation = 0;
  axis.pad = 0;
  for (const LinearShape& term : terms) {
    const Axis& own = term.axes[which];
    axis.pad = std::max(axis.pad, own.pad);
    behind = std::max(behind, own.reach() - own.pad);
    if (own.size > 1 && dilation != own.dilation) dilation = dilation == 0 ? own.dilation : 1;
  }
  for (const LinearShape& term : terms)
    if (dilation > 1 && (axis.pad - term.axes[which].pad) % dilation != 0) dilation = 1;
  axis.dilation = std::max<int64_t>(dilation, 1);
  axis.size = (axis.pad + behind - 1) / axis.dilation + 1;
  return axis;
}

}  // namespace

std::string cannot_chain(const LinearShape& first, const LinearShape& second) {
  for (const int which : {0, 1}) {
    const Axis &a = first.axes[which], &b = second.axes[which];
    if (b.pad == 0) continue;
    if (a.size > 1 || a.pad > 0)
      return "it pads with zeros what the kernel before it would go on computing outside";
    if (first.biased)
      return "it pads with zeros where the layers before it give their bias (BatchNormPad would "
             "not)";
  }
  return "";
}

LinearShape chain(const LinearShape& first, const LinearShape& second) {
  LinearShape shape;
  shape.outputs = second.outputs;
  shape.inputs = first.inputs;
  shape.groups = std::gcd(first.groups, second.groups);
  for (const int which : {0, 1}) shape.axes[which] = chained(first.axes[which], second.axes[which]);
  shape.biased = first.biased || second.biased;
  return shape;
}

LinearMap chain(const LinearMap& first, const LinearMap& second) {
  LinearMap map(chain(static_cast<const LinearShape&>(first), second));
  const int64_t inputs = map.inputs_per_group(), taps = map.taps();
  const int64_t first_inputs = first.inputs_per_group(), middle = second.inputs_per_group();
  std::copy(second.bias.begin(), second.bias.end(), map.bias.begin());

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
          if (first.biased) map.bias[o] += weight * first.bias[t];
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

std::string cannot_add(const std::vector<LinearShape>& terms, const std::array<int64_t, 2>& input,
                       const std::array<int64_t, 2>& output) {
  for (const int which : {0, 1}) {
    for (const LinearShape& term : terms)
      if (term.axes[which].stride != terms[0].axes[which].stride)
        return "the branches have different strides";
    if (around(terms, which).output(input[which]) != output[which])
      return "the branches read the image at places that no one window has";
  }
  return "";
}

LinearShape add(const std::vector<LinearShape>& terms) {
  LinearShape shape;
  shape.outputs = terms[0].outputs;
  shape.inputs = terms[0].inputs;
  shape.groups = 0;
  for (const LinearShape& term : terms) {
    shape.groups = std::gcd(shape.groups, term.groups);
    shape.biased |= term.biased;
  }
  for (const int which : {0, 1}) shape.axes[which] = around(terms, which);
  return shape;
}

LinearMap add(const std::vector<LinearMap>& terms, const std::vector<double>& factors) {
  LinearMap map(add(std::vector<LinearShape>(terms.begin(), terms.end())));
  const int64_t inputs = map.inputs_per_group(), taps = map.taps();
  for (size_t term = 0; term < terms.size(); ++term) {
    const LinearMap& own = terms[term];
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
          for (int64_t i = 0; i < own_inputs; ++i) to[i] += factors[term] * from[i];
        }
    }
    if (!own.biased) continue;
    for (int64_t o = 0; o < map.outputs; ++o) map.bias[o] += factors[term] * own.bias[o];
  }
  return map;
}

}  // namespace orepa
