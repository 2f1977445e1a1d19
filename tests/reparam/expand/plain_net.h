// A plain net with every kind of convolution that reparam() meets, for both phases.
#pragma once
#include <string>
#include <vector>

#include "orepa.pb.h"
#include "orepa/reparam.h"

namespace orepa {

inline constexpr const char* kPlainNet = R"(
name: "plain"
layer { name: "data" type: "DummyData" top: "data" top: "label" include { phase: TRAIN }
  dummy_data_param { shape { dim: 4 dim: 3 dim: 24 dim: 20 } shape { dim: 4 }
    data_filler { type: "gaussian" } data_filler { value: 1 } } }
layer { name: "data" type: "DummyData" top: "data" top: "label" include { phase: TEST }
  dummy_data_param { shape { dim: 2 dim: 3 dim: 24 dim: 20 } shape { dim: 2 }
    data_filler { type: "gaussian" } data_filler { value: 1 } } }
layer { name: "stem" type: "Convolution" bottom: "data" top: "stem"
  convolution_param { num_output: 8 kernel_size: 7 stride: 2 pad: 3 bias_term: false } }
layer { name: "stem/bn" type: "BatchNorm" bottom: "stem" top: "stem"
  batch_norm_param { moving_average_fraction: 0.9 eps: 2e-5 } }
layer { name: "stem/scale" type: "Scale" bottom: "stem" top: "stem" scale_param { bias_term: true } }
layer { name: "stem/relu" type: "ReLU" bottom: "stem" top: "stem" }
layer { name: "same" type: "Convolution" bottom: "stem" top: "same"
  param { lr_mult: 0.5 decay_mult: 2 }
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 bias_term: false } }
layer { name: "same/bn" type: "BatchNorm" bottom: "same" top: "same/bn"
  param { lr_mult: 0 } param { lr_mult: 0 } param { lr_mult: 0 }
  batch_norm_param { moving_average_fraction: 0.9 eps: 2e-5 } }
layer { name: "same/scale" type: "Scale" bottom: "same/bn" top: "same/scale"
  param { lr_mult: 3 decay_mult: 0 } param { lr_mult: 4 decay_mult: 0 }
  scale_param { bias_term: true filler { value: 0.5 } } }
layer { name: "same/relu" type: "ReLU" bottom: "same/scale" top: "same/scale" }
layer { name: "pointwise" type: "Convolution" bottom: "same/scale" top: "pointwise"
  convolution_param { num_output: 12 kernel_size: 1 weight_filler { type: "msra" } } }
layer { name: "pointwise/bn" type: "BatchNorm" bottom: "pointwise" top: "pointwise" }
layer { name: "pointwise/relu" type: "ReLU" bottom: "pointwise" top: "pointwise" }
layer { name: "strided" type: "Convolution" bottom: "pointwise" top: "strided"
  param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 12 kernel_size: 3 pad: 1 stride: 2 weight_filler { type: "msra" }
    bias_filler { value: 0.1 } } }
layer { name: "strided/relu" type: "ReLU" bottom: "strided" top: "strided" }
layer { name: "grouped" type: "Convolution" bottom: "strided" top: "grouped"
  convolution_param { num_output: 12 kernel_size: 3 pad: 1 group: 3 bias_term: false } }
layer { name: "grouped/bn" type: "BatchNorm" bottom: "grouped" top: "grouped" }
layer { name: "grouped/scale" type: "Scale" bottom: "grouped" top: "grouped"
  scale_param { bias_term: true } }
layer { name: "grouped/relu" type: "ReLU" bottom: "grouped" top: "grouped" }
layer { name: "depthwise" type: "Convolution" bottom: "grouped" top: "depthwise"
  convolution_param { num_output: 12 kernel_size: 5 pad: 2 group: 12 bias_term: false } }
layer { name: "depthwise/bn" type: "BatchNorm" bottom: "depthwise" top: "depthwise" }
layer { name: "depthwise/scale" type: "Scale" bottom: "depthwise" top: "depthwise"
  scale_param { bias_term: true } }
layer { name: "depthwise/relu" type: "ReLU" bottom: "depthwise" top: "depthwise" }
layer { name: "dilated" type: "Convolution" bottom: "depthwise" top: "dilated"
  convolution_param { num_output: 12 kernel_size: 3 pad: 2 dilation: 2 bias_term: false } }
layer { name: "dilated/bn" type: "BatchNorm" bottom: "dilated" top: "dilated" }
layer { name: "dilated/scale" type: "Scale" bottom: "dilated" top: "dilated"
  scale_param { bias_term: true } }
layer { name: "dilated/relu" type: "ReLU" bottom: "dilated" top: "dilated" }
layer { name: "join" type: "Concat" bottom: "depthwise" bottom: "dilated" top: "join" }
layer { name: "separable" type: "Convolution" bottom: "join" top: "separable"
  convolution_param { num_output: 24 kernel_h: 3 kernel_w: 3 pad: 1 group: 24 bias_term: false } }
layer { name: "separable/bn" type: "BatchNorm" bottom: "separable" top: "separable" }
layer { name: "separable/scale" type: "Scale" bottom: "separable" top: "separable"
  scale_param { bias_term: true } }
layer { name: "separable/relu" type: "ReLU" bottom: "separable" top: "separable" }
layer { name: "valid" type: "Convolution" bottom: "separable" top: "valid"
  convolution_param { num_output: 8 kernel_size: 3 bias_term: false } }
layer { name: "valid/bn" type: "BatchNorm" bottom: "valid" top: "valid" }
layer { name: "valid/scale" type: "Scale" bottom: "valid" top: "valid" scale_param { bias_term: true } }
layer { name: "valid/relu" type: "ReLU" bottom: "valid" top: "valid" }
layer { name: "flat" type: "Convolution" bottom: "valid" top: "flat"
  convolution_param { num_output: 8 kernel_h: 1 kernel_w: 3 pad_w: 1 pad_h: 0 } }
layer { name: "ip" type: "InnerProduct" bottom: "flat" top: "ip"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy"
  include { phase: TEST } }
)";

inline NetSpec plain_net() { return NetSpec::parse(kPlainNet, "plain.prototxt"); }

inline NetSpec reparam_as(const std::string& style, ReparamReport* report = nullptr) {
  return reparam(plain_net(), {style, "", ""}, report);
}

// Null where there is none; of `net`, which must outlive it.
inline const LayerParameter* find(const NetSpec& net, const std::string& name) {
  for (const LayerParameter& layer : net.proto().layer())
    if (layer.name() == name) return &layer;
  return nullptr;
}

// Of the layers whose names begin with `prefix`, what follows it, in order.
inline std::vector<std::string> names(const NetSpec& net, const std::string& prefix) {
  std::vector<std::string> found;
  for (const LayerParameter& layer : net.proto().layer())
    if (layer.name().rfind(prefix, 0) == 0) found.push_back(layer.name().substr(prefix.size()));
  return found;
}

}  // namespace orepa
