// What Convolution and Deconvolution share: a kernel and its packed copies, a bias, the plan.
#pragma once
#include "layers/window.h"

namespace orepa {

class ConvolutionBase : public Layer {
 public:
  void prepare(Pass& pass) override;
  bool has_prepare() const override { return keep_packed_; }
  std::string note() const override { return plan_->algorithm(); }
  int64_t macs() const override;

 protected:
  using Direction = ConvolutionPlan::Direction;

  // What convolution_param says, but for the shapes, which are left open: windows, groups, type.
  static ConvolutionGeometry read_geometry(Setup& setup, const ConvolutionWindows& windows);
  // Declares the kernel, and a bias for that many channels where bias_term says so.
  void declare_parameters(Setup& setup, int64_t outputs);
  // Declares the kernel (O, C / groups, kh, kw) and returns its Handle.
  virtual Handle declare_kernel(Setup& setup, const ConvolutionGeometry& geometry);
  // Declares the kernel as the plan reads it in that direction.
  void declare_packed(Setup& setup, Direction direction, Stage stage);
  // That kernel, packed for this pass or once per update.
  const void* packed(Pass& pass, Direction direction);
  // The gradient of the bias, where it is wanted, from that of the top.
  void declare_bias_gradient(Setup& setup, const Shape& top);
  void bias_gradient(Pass& pass, const Tensor& dy);

  ConvolutionGeometry geometry_;
  std::shared_ptr<ConvolutionPlan> plan_;
  Handle kernel_ = -1, bias_ = -1;

 private:
  bool keep_packed_ = false;
  Handle bias_scratch_ = -1;
  Handle packed_[2] = {-1, -1};
};

// As a node of that type, Conv or ConvTranspose.
void write_convolution(const OnnxLayer& layer, const std::string& type);

// What num_output says, for LayerRoles::channels.
int64_t convolution_channels(const LayerSpec& spec, const std::vector<int64_t>& inputs);

}  // namespace orepa
