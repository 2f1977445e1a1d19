#include "backend/cuda/cudnn_convolution.h"

#include <algorithm>

#include "backend/cuda/convolution_loops.h"
#include "backend/cuda/direct_convolution.h"
#include "backend/pieces.h"

namespace orepa::cuda {
namespace {

// A pass whose graph has no engine is computed by direct_convolution.h.
class Convolution : public ConvolutionPlan {
 public:
  Convolution(const Cudnn& cudnn, const ConvolutionGeometry& g) : cudnn_(cudnn), g_(g) {
    if (g.bias || g.relu) forward_ = plan(fused_forward_graph(g));
    fused_ = forward_.has_value();
    if (!fused_) forward_ = plan(forward_graph(g));
    if (g.training) backward_kernel_ = plan(backward_kernel_graph(g));
    if (g.training && g.data_gradient) backward_data_ = plan(backward_data_graph(g));
  }

  // O, kh, kw, C/G, as it is stored, in the type of activations.
  int64_t packed_bytes(Direction) const override { return g_.kernel.bytes(g_.type); }
  int packed_layout(Direction) const override { return static_cast<int>(g_.type); }
  void pack(Direction, const float* kernel, void* packed) override {
    pack_kernel(cudnn_.device, g_, kernel, packed);
  }

  int64_t forward_workspace() const override { return workspace(forward_); }
  int64_t backward_data_workspace() const override { return workspace(backward_data_); }
  int64_t backward_kernel_workspace() const override {
    if (!backward_kernel_) return 0;
    Pieces pieces(nullptr);
    pieces.take(g_.kernel.bytes(g_.type));
    pieces.take(backward_kernel_->workspace());
    return pieces.used();
  }

  void forward(const void* x, const void* packed, const float* bias, void* y,
               void* workspace) override {
    if (!forward_) return direct_forward(cudnn_.device, g_, x, packed, bias, y);
    if (fused_ && g_.bias)
      run(*forward_, {{kX, x}, {kKernel, packed}, {kBias, bias}, {kY, y}}, workspace);
    else
      run(*forward_, {{kX, x}, {kKernel, packed}, {kY, y}}, workspace);
    if (!fused_ && (g_.bias || g_.relu)) add_bias_and_clamp(cudnn_.device, g_, bias, y);
  }

  void backward_data(const void* dy, const void* packed, void* dx, void* workspace) override {
    if (!backward_data_) return direct_backward_data(cudnn_.device, g_, dy, packed, dx);
    run(*backward_data_, {{kY, dy}, {kKernel, packed}, {kX, dx}}, workspace);
  }

  void backward_kernel(const void* x, const void* dy, float* dkernel, bool accumulate,
                       void* workspace) override {
    if (!backward_kernel_)
      return direct_backward_kernel(cudnn_.device, g_, x, dy, dkernel, accumulate);
    // The gradient is added in float32: cuDNN would add to a number of the type that it writes, and
    // has no engine that reads bfloat16 and writes float32.
    Pieces pieces(workspace);
    void* gradient = pieces.take(g_.kernel.bytes(g_.type));
    void* rest = pieces.take(backward_kernel_->workspace());
    run(*backward_kernel_, {{kX, x}, {kY, dy}, {kKernel, gradient}}, rest);
    unpack_gradient(cudnn_.device, g_, gradient, dkernel, accumulate);
  }

  // "cudnn" or "direct", or what each pass is computed by where they differ.
  std::string algorithm() const override {
    std::vector<const char*> names = {name(forward_)};
    if (g_.training && g_.data_gradient) names.push_back(name(backward_data_));
    if (g_.training) names.push_back(name(backward_kernel_));
    std::string all = names[0];
    if (std::equal(names.begin() + 1, names.end(), names.begin())) return all;
    for (size_t i = 1; i < names.size(); ++i) all += text(", ", names[i]);
    return all;
  }

 private:
  std::optional<GraphPlan> plan(const Graph& graph) const {
    return GraphPlan::make(graph, {.handle = cudnn_.handle, .description = {}},
                           engine_limits(g_, cudnn_.options));
  }
  void run(const GraphPlan& plan, std::initializer_list<TensorAddress> tensors, void* workspace) {
    const TensorAddress* const at = tensors.begin();
    if (cudnn_.device.leaves_out({&plan, at[0].data, at[1].data, at[2].data})) return;
    cudnn_.device.count_launch();
    cudnn_.device.make_current();
    plan.run(cudnn_.handle, tensors, workspace);
  }
  static int64_t workspace(const std::optional<GraphPlan>& plan) {
    return plan ? plan->workspace() : 0;
  }
  static const char* name(const std::optional<GraphPlan>& plan) {
    return plan ? "cudnn" : "direct";
  }

  Cudnn cudnn_;
  ConvolutionGeometry g_;
  std::optional<GraphPlan> forward_, backward_data_, backward_kernel_;
  bool fused_ = false;  // the forward plan adds the bias and clamps
};

}  // namespace

std::unique_ptr<ConvolutionPlan> make_convolution(const Cudnn& cudnn,
                                                  const ConvolutionGeometry& geometry) {
  return std::make_unique<Convolution>(cudnn, geometry);
}

}  // namespace orepa::cuda
