// BatchNorm: y = (x - mean) / sqrt(variance + eps) * scale + shift, channel by channel. What
// happens to y is left open, so that BatchNormPad only adds its border.
#pragma once
#include <memory>

#include "layers/axis.h"

namespace orepa {

class BatchNorm : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    setup.require(!setup.options().message("batch_norm_param").has("pad"),
                  "batch_norm_param.pad is for layers of type BatchNormPad");
    declare(setup);
    setup.input_gradient_may_overwrite(0);
    return {setup.input(0)};
  }
  void forward(Pass& pass) override { normalize(pass, pass.output(0)); }
  void backward(Pass& pass) override { propagate(pass, pass.output_gradient(0)); }

 protected:
  void declare(Setup& setup);
  // Declares scale and shift, after the statistics. Here: those of a Scale that was absorbed.
  virtual void declare_affine(Setup& setup, const Shape& channels);

  // y has the shape of the input. Moves the running statistics first, where they move.
  void normalize(Pass& pass, const Tensor& y);
  // From dy, of the same shape.
  void propagate(Pass& pass, const Tensor& dy);

  DType type_ = DType::kFloat32;  // of the layer
  float eps_ = 0;
  Handle mean_ = -1, variance_ = -1, factor_ = -1, scale_ = -1, shift_ = -1;

 private:
  void propagate_given(Pass& pass, const Tensor& dy);
  // 1 and 0 where nothing was declared.
  const float* scale(Pass& pass) const;
  const float* shift(Pass& pass) const;

  AxisView view_;
  int64_t values_ = 0;  // of a channel, in what it is normalised by
  float fraction_ = 0;
  bool given_ = false, relu_ = false;
  std::shared_ptr<BatchNormPlan> plan_;
  Handle batch_mean_ = -1, batch_variance_ = -1, saved_ = -1;
  Handle forward_workspace_ = -1, backward_workspace_ = -1;
  Handle ones_ = -1, zeros_ = -1;
  Handle scale_gradient_ = -1, shift_gradient_ = -1, unwanted_ = -1;
};

// What a normalisation is in inference: a depthwise 1 x 1 (empty where it uses the batch's own
// statistics); and its statistics merged into a map that scales and shifts behind them.
std::optional<LinearShape> normalisation_shape(const LayerSpec& spec, const Shape& input);
void normalise(const LayerSpec& spec, const Parameters& parameters, LinearMap& map);

}  // namespace orepa
