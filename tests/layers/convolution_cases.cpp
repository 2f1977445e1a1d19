// Rows of the harness: Convolution with a plain loop as its reference, and ORepaConv, whose every
// branch has a row (its merged kernels are compared with the published code in golden tests).
#include "tests/layers/check_layer.h"

namespace orepa {
namespace {

LayerCase convolution(const std::string& name, const std::string& fields, const Shape& x,
                      const ConvolutionGeometry& geometry, const std::string& behind = "") {
  LayerCase row{name,
                "layer { name: \"it\" type: \"Convolution\" top: \"y\" convolution_param { " +
                    fields + " } }" + behind,
                {{x}}};
  ConvolutionGeometry g = geometry;
  g.input = x;
  row.expected = [g](const Arrays& in, const Arrays& p) {
    const Shape y = g.output(), &k = g.kernel, &x = g.input;
    const int64_t outputs_per_group = k[0] / g.groups;
    std::vector<double> out;
    for (int64_t n = 0; n < y[0]; ++n)
      for (int64_t o = 0; o < y[1]; ++o)
        for (int64_t oh = 0; oh < y[2]; ++oh)
          for (int64_t ow = 0; ow < y[3]; ++ow) {
            double sum = g.bias ? p[1][o] : 0;
            for (int64_t i = 0; i < k[1]; ++i)
              for (int64_t a = 0; a < k[2]; ++a)
                for (int64_t b = 0; b < k[3]; ++b) {
                  const int64_t c = o / outputs_per_group * k[1] + i;
                  const int64_t h = oh * g.stride[0] - g.pad[0] + a * g.dilation[0];
                  const int64_t w = ow * g.stride[1] - g.pad[1] + b * g.dilation[1];
                  if (h < 0 || h >= x[2] || w < 0 || w >= x[3]) continue;
                  sum += in[0][((n * x[1] + c) * x[2] + h) * x[3] + w] *
                         p[0][((o * k[1] + i) * k[2] + a) * k[3] + b];
                }
            out.push_back(sum);
          }
    return Arrays{out};
  };
  return row;
}

LayerCase orepa(const std::string& name, const std::string& convolution_fields,
                const std::string& orepa_fields, const Shape& x,
                const std::string& layer_fields = "") {
  return {name,
          "layer { name: \"it\" type: \"ORepaConv\" top: \"y\" convolution_param { " +
              convolution_fields + " } orepa_param { " + orepa_fields + " } " + layer_fields + " }",
          {{x}}};
}

}  // namespace

std::vector<LayerCase> convolution_cases() {
  const std::string k3 = "num_output: 6 kernel_size: 3 pad: 1 bias_term: false";
  // The factors of preset OREPA, of which every other one is frozen.
  std::string learned_first, learned_second;
  for (int pair = 0; pair < 7; ++pair) {
    learned_first += "param {} param { lr_mult: 0 } ";
    learned_second += "param { lr_mult: 0 } param {} ";
  }
  const std::string grouped = "num_output: 6 kernel_size: 3 pad: 1 group: 3 stride: 2";
  return {
      convolution("convolution", "num_output: 5 kernel_size: 3 pad: 1", {2, 3, 5, 4},
                  {{}, {5, 3, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 1, true}),
      convolution("convolution_one_channel", "num_output: 1 kernel_size: 3 bias_term: false",
                  {1, 1, 4, 5}, {{}, {1, 1, 3, 3}, {1, 1}, {0, 0}, {1, 1}, 1, false}),
      convolution("convolution_1x1_stride", "num_output: 7 kernel_size: 1 stride: 2", {2, 3, 5, 4},
                  {{}, {7, 3, 1, 1}, {2, 2}, {0, 0}, {1, 1}, 1, true}),
      convolution("convolution_group", "num_output: 6 kernel_size: 3 pad: 1 group: 3 stride: 2",
                  {1, 9, 5, 6}, {{}, {6, 3, 3, 3}, {2, 2}, {1, 1}, {1, 1}, 3, true}),
      convolution("convolution_depthwise", "num_output: 5 kernel_size: 3 pad: 1 group: 5",
                  {2, 5, 4, 4}, {{}, {5, 1, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 5, true}),
      convolution("convolution_dilation", "num_output: 3 kernel_size: 3 pad: 2 dilation: 2",
                  {2, 3, 6, 5}, {{}, {3, 3, 3, 3}, {1, 1}, {2, 2}, {2, 2}, 1, true}),
      convolution("convolution_rectangular",
                  "num_output: 3 kernel_h: 1 kernel_w: 5 stride_h: 2 stride_w: 1 pad_h: 0 pad_w: 2",
                  {1, 3, 5, 6}, {{}, {3, 3, 1, 5}, {2, 1}, {0, 2}, {1, 1}, 1, true}),

      orepa("orepa_kxk", k3, "branch { type: \"kxk\" }", {2, 4, 4, 5}),
      orepa("orepa_avg", k3, "branch { type: \"avg\" scale: 0.5 }", {2, 4, 4, 5}),
      orepa("orepa_prior", k3, "branch { type: \"prior\" }", {2, 4, 4, 5}),
      orepa("orepa_1x1", k3, "branch { type: \"1x1\" }", {2, 4, 4, 5}),
      orepa("orepa_1x1_kxk", k3, "branch { type: \"1x1_kxk\" middle_channels: 3 }", {2, 4, 4, 5}),
      orepa("orepa_identity", "num_output: 4 kernel_size: 1", "preset: IDENTITY", {2, 4, 3, 3}),
      orepa("orepa_identity_grouped", "num_output: 4 kernel_size: 1 group: 2",
            "branch { type: \"identity\" } branch { type: \"1x1\" }", {2, 4, 3, 3}),
      orepa("orepa_1x1_1x1", "num_output: 6 kernel_size: 1", "branch { type: \"1x1_1x1\" }",
            {2, 4, 3, 5}),
      orepa("orepa_chain", "num_output: 4 kernel_size: 7 pad: 3",
            "branch { type: \"chain\" kernel { branch { type: \"kxk\" } branch { type: "
            "\"avg\" } } kernel { branch { type: \"1x1_kxk\" } } kernel {} }",
            {1, 3, 8, 7}),
      orepa("orepa_dw_pw", k3, "branch { type: \"dw_pw\" expansion: 3 }", {2, 4, 4, 5}),
      orepa("orepa_preset", k3, "preset: OREPA", {2, 4, 4, 5}),
      orepa("orepa_groups", grouped, "preset: OREPA", {1, 9, 5, 4}),
      orepa("orepa_1x1_kernel", "num_output: 5 kernel_size: 1", "preset: OREPA_1X1", {2, 3, 3, 3}),
      orepa("orepa_vgg", k3, "preset: OREPA_VGG", {1, 6, 4, 4}),
      orepa("orepa_large", "num_output: 4 kernel_size: 5 pad: 2", "preset: OREPA_LARGE",
            {1, 4, 5, 6}),
      orepa("orepa_large_base", "num_output: 4 kernel_size: 5 pad: 2 group: 2",
            "preset: LARGE_BASE", {1, 4, 5, 6}),
      orepa("orepa_groups_of_many", "num_output: 16 kernel_size: 3 pad: 1 group: 8",
            "preset: OREPA", {1, 16, 3, 4}),
      orepa("orepa_more_channels_than_lanes", "num_output: 18 kernel_size: 3 pad: 1",
            "preset: OREPA", {1, 70, 2, 2}),
      orepa("orepa_frozen_factors", k3, "preset: OREPA", {1, 4, 4, 5}, learned_first),
      orepa("orepa_other_frozen_factors", k3, "preset: OREPA", {1, 4, 4, 5}, learned_second),
      orepa("orepa_two_of_one_type", k3,
            "branch { type: \"1x1\" } branch { type: \"1x1\" name: \"more\" }", {1, 4, 4, 5}),
      orepa("orepa_kernel_11", "num_output: 2 kernel_size: 11 pad: 5 bias_term: false",
            "preset: OREPA", {1, 2, 7, 6}),
      orepa("orepa_dilation", "num_output: 5 kernel_size: 3 pad: 2 dilation: 2", "preset: OREPA",
            {1, 4, 6, 5}),
  };
}

}  // namespace orepa
