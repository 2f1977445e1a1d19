// Convolution: y = W * x (+ bias). Where W comes from is left open, so that ORepaConv only replaces
// that.
#pragma once
#include "orepa/layer.h"

namespace orepa {

class Convolution : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override;
  void forward(Pass& pass) override;
  void backward(Pass& pass) override;
  void prepare(Pass& pass) override;
  bool has_prepare() const override { return keep_packed_; }
  std::string note() const override { return plan_->algorithm(); }
  int64_t macs() const override;

 protected:
  // Declares the kernel (O, C / groups, kh, kw) and returns its Handle. `setup` is at
  // convolution_param.
  virtual Handle declare_kernel(Setup& setup, const ConvolutionGeometry& geometry);

  Handle kernel_ = -1;

 private:
  // The kernel as one direction reads it, packed for this pass or once per update.
  const void* packed(Pass& pass, ConvolutionPlan::Direction direction);

  ConvolutionGeometry geometry_;
  std::shared_ptr<ConvolutionPlan> plan_;
  bool keep_packed_ = false;
  Handle bias_ = -1, bias_scratch_ = -1;
  Handle packed_[2] = {-1, -1};
  Handle forward_workspace_ = -1, backward_workspace_ = -1;
};

// What every kind of convolution is in inference, and how many channels it makes.
extern const LinearRole kConvolutionMap;
int64_t convolution_channels(const LayerSpec& spec, const std::vector<int64_t>& inputs);

}  // namespace orepa
