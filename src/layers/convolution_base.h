// What Convolution and Deconvolution share: a kernel and its packed copies, a bias, the plan. Each
// of their bottoms, all of one shape, becomes the top of its number.
#pragma once
#include "layers/spatial_convolution.h"
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

  // What convolution_param says, but for the shapes, which are left open: axis, windows, groups,
  // type. Checks the bottoms; `window` becomes the size of the kernel.
  static SpatialGeometry read_geometry(Setup& setup, std::vector<int64_t>& window);
  // Declares the kernel, and a bias for that many channels where bias_term says so.
  void declare_parameters(Setup& setup, int64_t outputs);
  // Declares the kernel (O, C / groups, its window) and returns its Handle.
  virtual Handle declare_kernel(Setup& setup, const SpatialGeometry& geometry);
  // Declares the kernel as the plan reads it in that direction.
  void declare_packed(Setup& setup, Direction direction, Stage stage);
  // That kernel, packed for this pass or once per update.
  const void* packed(Pass& pass, Direction direction);
  // The gradient of the bias, where it is wanted, from that of a top.
  void declare_bias_gradient(Setup& setup, const Shape& top);
  void bias_gradient(Pass& pass, int top);
  // Whether the gradient of a parameter is added to what is there already, by the top of that
  // number.
  static bool adds(Pass& pass, Handle parameter, int top) {
    return top > 0 || pass.accumulates(parameter);
  }

  int count_ = 0;  // of bottoms
  SpatialGeometry geometry_;
  std::shared_ptr<ConvolutionPlan> plan_;
  Handle kernel_ = -1, bias_ = -1;

 private:
  bool keep_packed_ = false;
  Handle bias_scratch_ = -1;
  Handle packed_[2] = {-1, -1};
};

// As a node of that type, Conv or ConvTranspose.
void write_convolution(const OnnxLayer& layer, const std::string& type);

// For LayerRoles::channels.
int64_t convolution_channels(const LayerSpec& spec, const std::vector<int64_t>& inputs);

}  // namespace orepa
