// Convolution on oneDNN, direct: reads and writes our layout (NHWC). Kernels are always reordered
// (pack): no fast implementation reads OHWI.
#include <algorithm>

#include "backend/cpu/onednn.h"

namespace orepa::cpu {
namespace {

using dnnl::memory;
using tag = memory::format_tag;

// A copy from one layout to another, added to what is there where `accumulate`.
class Reorder {
 public:
  Reorder() = default;
  Reorder(OneDnn& onednn, const memory::desc& from, const memory::desc& to, bool accumulate = false)
      : from_(from), to_(to) {
    dnnl::primitive_attr attributes = user_scratchpad();
    if (accumulate) {
      dnnl::post_ops sum;
      sum.append_sum(1.0f);
      attributes.set_post_ops(sum);
    }
    const dnnl::reorder::primitive_desc description(onednn.engine, from, onednn.engine, to,
                                                    attributes);
    scratchpad_ = description.scratchpad_desc();
    reorder_ = dnnl::reorder(description);
  }
  const memory::desc& target() const { return to_; }
  int64_t scratchpad_bytes() const { return bytes(scratchpad_); }
  void run(OneDnn& onednn, const void* from, void* to, void* scratchpad) {
    onednn.run(reorder_, {{DNNL_ARG_FROM, view(onednn, from_, from)},
                          {DNNL_ARG_TO, view(onednn, to_, to)},
                          {DNNL_ARG_SCRATCHPAD, view(onednn, scratchpad_, scratchpad)}});
  }

 private:
  memory::desc from_, to_, scratchpad_;
  dnnl::reorder reorder_;
};

class Convolution : public ConvolutionPlan {
 public:
  Convolution(OneDnn& onednn, const ConvolutionGeometry& g)
      : onednn_(onednn),
        type_(onednn_type(g.type)),
        x_(stored(g.input, g.type)),
        y_(stored(g.output(), g.type)),
        kernel_(kernel_desc(g)),
        strides_(g.stride.begin(), g.stride.end()),
        pads_(g.pad.begin(), g.pad.end()),
        dilations_{g.dilation[0] - 1, g.dilation[1] - 1} {
    make_forward(g);
    if (g.training) make_backward_kernel();
    if (g.training && g.data_gradient) make_backward_data();
  }

  int64_t packed_bytes(Direction direction) const override {
    return bytes(pack_[direction].target());
  }
  int packed_layout(Direction direction) const override {
    return onednn_.layout("", pack_[direction].target());
  }
  void pack(Direction direction, const float* kernel, void* packed) override {
    pack_[direction].run(onednn_, kernel, packed, nullptr);
  }
  int64_t forward_workspace() const override { return bytes(forward_pd_.scratchpad_desc()); }
  int64_t backward_data_workspace() const override { return data_bytes_; }
  int64_t backward_kernel_workspace() const override { return kernel_bytes_; }

  void forward(const void* x, const void* packed, const float* bias, void* y,
               void* workspace) override {
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, view(onednn_, x_, x)},
        {DNNL_ARG_WEIGHTS, view(onednn_, forward_pd_.weights_desc(), packed)},
        {DNNL_ARG_DST, view(onednn_, y_, y)},
        {DNNL_ARG_SCRATCHPAD, view(onednn_, forward_pd_.scratchpad_desc(), workspace)}};
    if (bias != nullptr) arguments[DNNL_ARG_BIAS] = view(onednn_, forward_pd_.bias_desc(), bias);
    onednn_.run(forward_, arguments);
  }

  void backward_data(const void* dy, const void* packed, void* dx, void* workspace) override {
    onednn_.run(data_,
                {{DNNL_ARG_DIFF_DST, view(onednn_, y_, dy)},
                 {DNNL_ARG_WEIGHTS, view(onednn_, data_pd_.weights_desc(), packed)},
                 {DNNL_ARG_DIFF_SRC, view(onednn_, x_, dx)},
                 {DNNL_ARG_SCRATCHPAD, view(onednn_, data_pd_.scratchpad_desc(), workspace)}});
  }

  void backward_kernel(const void* x, const void* dy, float* dkernel, bool accumulate,
                       void* workspace) override {
    Pieces pieces(workspace);
    void* gradient = pieces.take(bytes(kernel_pd_.diff_weights_desc()));
    void* scratchpad = pieces.take(kernel_scratchpad_);
    onednn_.run(backward_kernel_,
                {{DNNL_ARG_SRC, view(onednn_, x_, x)},
                 {DNNL_ARG_DIFF_DST, view(onednn_, y_, dy)},
                 {DNNL_ARG_DIFF_WEIGHTS, view(onednn_, kernel_pd_.diff_weights_desc(), gradient)},
                 {DNNL_ARG_SCRATCHPAD, view(onednn_, kernel_pd_.scratchpad_desc(), scratchpad)}});
    // oneDNN overwrites its gradient; the reorder into our layout adds.
    (accumulate ? unpack_add_ : unpack_).run(onednn_, gradient, dkernel, scratchpad);
  }

  std::string algorithm() const override { return "direct"; }

 private:
  static constexpr dnnl::algorithm kDirect = dnnl::algorithm::convolution_direct;

  // O, C / G, kh, kw stored O, kh, kw, C / G; with groups, oneDNN sees G, O / G, C / G, kh, kw.
  static memory::desc kernel_desc(const ConvolutionGeometry& g) {
    const int64_t o = g.kernel[0], i = g.kernel[1], h = g.kernel[2], w = g.kernel[3];
    if (g.groups == 1) return stored(g.kernel);
    return {{g.groups, o / g.groups, i, h, w},
            memory::data_type::f32,
            memory::dims{o / g.groups * h * w * i, h * w * i, 1, w * i, i}};
  }
  memory::desc any_kernel(memory::data_type type) const { return {kernel_.dims(), type, tag::any}; }

  void make_forward(const ConvolutionGeometry& g) {
    const memory::desc bias =
        g.bias ? memory::desc({g.kernel[0]}, memory::data_type::f32, tag::a) : memory::desc();
    dnnl::primitive_attr attributes = user_scratchpad();
    if (g.relu) {
      dnnl::post_ops relu;
      relu.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
      attributes.set_post_ops(relu);
    }
    // Also for inference: training and testing give the same bits.
    forward_pd_ = {{dnnl::prop_kind::forward_training, kDirect, x_, any_kernel(type_), bias, y_,
                    strides_, dilations_, pads_, pads_},
                   attributes,
                   onednn_.engine};
    forward_ = dnnl::convolution_forward(forward_pd_);
    pack_[kForward] = Reorder(onednn_, kernel_, forward_pd_.weights_desc());
  }

  void make_backward_data() {
    data_pd_ = {{kDirect, x_, any_kernel(type_), y_, strides_, dilations_, pads_, pads_},
                user_scratchpad(),
                onednn_.engine,
                forward_pd_};
    data_ = dnnl::convolution_backward_data(data_pd_);
    data_bytes_ = bytes(data_pd_.scratchpad_desc());
    pack_[kBackwardData] = Reorder(onednn_, kernel_, data_pd_.weights_desc());
  }

  void make_backward_kernel() {
    kernel_pd_ = {
        {kDirect, x_, any_kernel(memory::data_type::f32), y_, strides_, dilations_, pads_, pads_},
        user_scratchpad(),
        onednn_.engine,
        forward_pd_};
    backward_kernel_ = dnnl::convolution_backward_weights(kernel_pd_);
    const memory::desc gradient = kernel_pd_.diff_weights_desc();
    unpack_ = Reorder(onednn_, gradient, kernel_);
    unpack_add_ = Reorder(onednn_, gradient, kernel_, true);
    kernel_scratchpad_ = std::max({bytes(kernel_pd_.scratchpad_desc()), unpack_.scratchpad_bytes(),
                                   unpack_add_.scratchpad_bytes()});
    kernel_bytes_ = aligned(bytes(gradient)) + kernel_scratchpad_;
  }

  OneDnn& onednn_;
  memory::data_type type_;       // of activations and packed kernels
  memory::desc x_, y_, kernel_;  // as our tensors lie
  memory::dims strides_, pads_, dilations_;
  dnnl::convolution_forward::primitive_desc forward_pd_;
  dnnl::convolution_backward_data::primitive_desc data_pd_;
  dnnl::convolution_backward_weights::primitive_desc kernel_pd_;
  dnnl::convolution_forward forward_;
  dnnl::convolution_backward_data data_;
  dnnl::convolution_backward_weights backward_kernel_;
  Reorder pack_[2], unpack_, unpack_add_;
  int64_t data_bytes_ = 0, kernel_bytes_ = 0, kernel_scratchpad_ = 0;  // 0 where there is no pass
};

}  // namespace

std::unique_ptr<ConvolutionPlan> make_convolution(OneDnn& onednn,
                                                  const ConvolutionGeometry& geometry) {
  for (const Shape& shape : {geometry.input, geometry.kernel, geometry.output()})
    require_countable(shape);
  require_countable(geometry.input, {geometry.kernel[2], geometry.kernel[3]}, geometry.stride,
                    geometry.pad, geometry.dilation);
  if (is_winograd(geometry, onednn.options.algorithm)) return make_winograd(onednn, geometry);
  if (is_strided_pointwise(geometry)) return make_strided_pointwise(onednn, geometry);
  return checked(text("convolution of ", geometry.input.str(), " with ", geometry.kernel.str(),
                      ", groups ", geometry.groups),
                 [&] { return std::make_unique<Convolution>(onednn, geometry); });
}

}  // namespace orepa::cpu
