// Convolution on oneDNN: direct, and Winograd F(4,3) where it is faster.
//
// A pass reads and writes our layout (NHWC). Where the chosen implementation wants another
// (Winograd's is blocked by 16 channels), the plan reorders into its workspace and back; measured,
// that costs less than what Winograd saves. Kernels are always reordered (pack): no fast
// implementation reads OHWI.
#include <algorithm>

#include "backend/cpu/onednn.h"

namespace orepa::cpu {
namespace {

using dnnl::memory;
using tag = memory::format_tag;

// A copy from one layout to another, or nothing where the two are the same.
class Conversion {
 public:
  enum Mode { kIfNeeded, kAlways, kAccumulate };

  Conversion() = default;
  Conversion(OneDnn& onednn, const memory::desc& from, const memory::desc& to,
             Mode mode = kIfNeeded)
      : from_(from), to_(to), needed_(mode != kIfNeeded || from != to) {
    if (!needed_) return;
    dnnl::primitive_attr attributes = user_scratchpad();
    if (mode == kAccumulate) {
      dnnl::post_ops sum;
      sum.append_sum(1.0f);
      attributes.set_post_ops(sum);
    }
    const dnnl::reorder::primitive_desc description(onednn.engine, from, onednn.engine, to,
                                                    attributes);
    scratchpad_ = description.scratchpad_desc();
    reorder_ = dnnl::reorder(description);
  }
  bool needed() const { return needed_; }
  int64_t source_bytes() const { return needed_ ? bytes(from_) : 0; }
  const memory::desc& target() const { return to_; }
  int64_t target_bytes() const { return needed_ ? bytes(to_) : 0; }
  int64_t scratchpad_bytes() const { return needed_ ? bytes(scratchpad_) : 0; }
  void run(OneDnn& onednn, const void* from, void* to, void* scratchpad) {
    onednn.run(reorder_, {{DNNL_ARG_FROM, view(onednn, from_, from)},
                          {DNNL_ARG_TO, view(onednn, to_, to)},
                          {DNNL_ARG_SCRATCHPAD, view(onednn, scratchpad_, scratchpad)}});
  }

 private:
  memory::desc from_, to_, scratchpad_;
  bool needed_ = false;
  dnnl::reorder reorder_;
};

// Winograd F(4,3) makes tiles of 4 x 4 outputs. It needs enough of them to pay for transforming the
// kernel, and enough channels to pay for transforming the tiles; the bounds are measured
// (docs/performance.md, "Convolution algorithms").
bool prefers_winograd(const ConvolutionGeometry& g, Algorithm algorithm) {
  const bool possible = g.kernel[2] == 3 && g.kernel[3] == 3 && g.stride == Pair{1, 1} &&
                        g.dilation == Pair{1, 1} && g.groups == 1 && g.pad[0] <= 1 &&
                        g.pad[1] <= 1 && g.input[1] % 16 == 0 && g.kernel[0] % 16 == 0;
  const Shape y = g.output();
  const int64_t tiles = y[0] * ((y[2] + 3) / 4) * ((y[3] + 3) / 4);
  const bool worth_it = std::min(g.input[1], g.kernel[0]) >= 32 && tiles >= 48;
  return algorithm == Algorithm::kAuto && possible && worth_it &&
         dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core;
}

class Convolution : public ConvolutionPlan {
 public:
  Convolution(OneDnn& onednn, const ConvolutionGeometry& g)
      : onednn_(onednn),
        winograd_(prefers_winograd(g, onednn.options.algorithm)),
        x_(stored(g.input)),
        y_(stored(g.output())),
        kernel_(kernel_desc(g)),
        strides_(g.stride.begin(), g.stride.end()),
        pads_(g.pad.begin(), g.pad.end()),
        dilations_{g.dilation[0] - 1, g.dilation[1] - 1} {
    make_forward(g);
    if (g.training) make_backward_kernel();
    if (g.training && g.data_gradient) make_backward_data();
  }

  int64_t packed_bytes(Direction direction) const override {
    return pack_[direction].target_bytes();
  }
  int packed_layout(Direction direction) const override {
    return onednn_.layout(pack_[direction].target());
  }
  void pack(Direction direction, const float* kernel, void* packed) override {
    pack_[direction].run(onednn_, kernel, packed, nullptr);
  }
  int64_t forward_workspace() const override { return forward_bytes_; }
  int64_t backward_data_workspace() const override { return data_bytes_; }
  int64_t backward_kernel_workspace() const override { return kernel_bytes_; }

  void forward(const float* x, const void* packed, const float* bias, float* y,
               void* workspace) override {
    Pieces pieces(workspace);
    const void* source = converted(forward_x_, x, pieces);
    void* target = forward_y_.needed() ? pieces.take(forward_y_.source_bytes()) : y;
    void* scratchpad = pieces.take(forward_scratchpad_);
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, view(onednn_, forward_pd_.src_desc(), source)},
        {DNNL_ARG_WEIGHTS, view(onednn_, forward_pd_.weights_desc(), packed)},
        {DNNL_ARG_DST, view(onednn_, forward_pd_.dst_desc(), target)},
        {DNNL_ARG_SCRATCHPAD, view(onednn_, forward_pd_.scratchpad_desc(), scratchpad)}};
    if (bias != nullptr) arguments[DNNL_ARG_BIAS] = view(onednn_, forward_pd_.bias_desc(), bias);
    onednn_.run(forward_, arguments);
    if (forward_y_.needed()) forward_y_.run(onednn_, target, y, scratchpad);
  }

  void backward_data(const float* dy, const void* packed, float* dx, void* workspace) override {
    Pieces pieces(workspace);
    const void* source = converted(data_dy_, dy, pieces);
    void* target = data_dx_.needed() ? pieces.take(data_dx_.source_bytes()) : dx;
    void* scratchpad = pieces.take(data_scratchpad_);
    onednn_.run(data_,
                {{DNNL_ARG_DIFF_DST, view(onednn_, data_pd_.diff_dst_desc(), source)},
                 {DNNL_ARG_WEIGHTS, view(onednn_, data_pd_.weights_desc(), packed)},
                 {DNNL_ARG_DIFF_SRC, view(onednn_, data_pd_.diff_src_desc(), target)},
                 {DNNL_ARG_SCRATCHPAD, view(onednn_, data_pd_.scratchpad_desc(), scratchpad)}});
    if (data_dx_.needed()) data_dx_.run(onednn_, target, dx, scratchpad);
  }

  void backward_kernel(const float* x, const float* dy, float* dkernel, bool accumulate,
                       void* workspace) override {
    Pieces pieces(workspace);
    const void* source = converted(kernel_x_, x, pieces);
    const void* gradient = converted(kernel_dy_, dy, pieces);
    void* target = pieces.take(unpack_.source_bytes());
    void* scratchpad = pieces.take(kernel_scratchpad_);
    onednn_.run(backward_kernel_,
                {{DNNL_ARG_SRC, view(onednn_, kernel_pd_.src_desc(), source)},
                 {DNNL_ARG_DIFF_DST, view(onednn_, kernel_pd_.diff_dst_desc(), gradient)},
                 {DNNL_ARG_DIFF_WEIGHTS, view(onednn_, kernel_pd_.diff_weights_desc(), target)},
                 {DNNL_ARG_SCRATCHPAD, view(onednn_, kernel_pd_.scratchpad_desc(), scratchpad)}});
    // oneDNN overwrites its gradient; the reorder into our layout adds.
    (accumulate ? unpack_add_ : unpack_).run(onednn_, target, dkernel, scratchpad);
  }

  std::string algorithm() const override { return winograd_ ? "winograd" : "direct"; }

 private:
  // O, C / G, kh, kw stored O, kh, kw, C / G; with groups, oneDNN sees G, O / G, C / G, kh, kw.
  static memory::desc kernel_desc(const ConvolutionGeometry& g) {
    const int64_t o = g.kernel[0], i = g.kernel[1], h = g.kernel[2], w = g.kernel[3];
    if (g.groups == 1) return stored(g.kernel);
    return {{g.groups, o / g.groups, i, h, w},
            memory::data_type::f32,
            memory::dims{o / g.groups * h * w * i, h * w * i, 1, w * i, i}};
  }
  static memory::desc any(const memory::desc& desc) {
    return {desc.dims(), memory::data_type::f32, tag::any};
  }
  // Direct passes read our layout; Winograd chooses its own.
  memory::desc wanted(const memory::desc& ours) const { return winograd_ ? any(ours) : ours; }
  dnnl::algorithm kind() const {
    return winograd_ ? dnnl::algorithm::convolution_winograd : dnnl::algorithm::convolution_direct;
  }

  const void* converted(Conversion& conversion, const void* data, Pieces& pieces) {
    if (!conversion.needed()) return data;
    void* copy = pieces.take(conversion.target_bytes());
    conversion.run(onednn_, data, copy, nullptr);
    return copy;
  }

  void make_forward(const ConvolutionGeometry& g) {
    const memory::desc bias =
        g.bias ? memory::desc({g.kernel[0]}, memory::data_type::f32, tag::a) : memory::desc();
    dnnl::primitive_attr attributes = user_scratchpad();
    if (g.relu) {
      dnnl::post_ops relu;
      relu.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
      attributes.set_post_ops(relu);
    }
    // Also for inference: its Winograd kernels have a layout that oneDNN makes from OIHW alone, and
    // training and testing give the same bits.
    forward_pd_ = {{dnnl::prop_kind::forward_training, kind(), wanted(x_), any(kernel_), bias,
                    wanted(y_), strides_, dilations_, pads_, pads_},
                   attributes,
                   onednn_.engine};
    forward_ = dnnl::convolution_forward(forward_pd_);
    forward_x_ = Conversion(onednn_, x_, forward_pd_.src_desc());
    forward_y_ = Conversion(onednn_, forward_pd_.dst_desc(), y_);
    pack_[kForward] = Conversion(onednn_, kernel_, forward_pd_.weights_desc(), Conversion::kAlways);
    forward_scratchpad_ =
        std::max(bytes(forward_pd_.scratchpad_desc()), forward_y_.scratchpad_bytes());
    Pieces pieces(nullptr);
    pieces.take(forward_x_.target_bytes());
    pieces.take(forward_y_.source_bytes());
    pieces.take(forward_scratchpad_);
    forward_bytes_ = pieces.used();
  }

  void make_backward_data() {
    data_pd_ = {{kind(), wanted(x_), any(kernel_), wanted(y_), strides_, dilations_, pads_, pads_},
                user_scratchpad(),
                onednn_.engine,
                forward_pd_};
    data_ = dnnl::convolution_backward_data(data_pd_);
    data_dy_ = Conversion(onednn_, y_, data_pd_.diff_dst_desc());
    data_dx_ = Conversion(onednn_, data_pd_.diff_src_desc(), x_);
    pack_[kBackwardData] =
        Conversion(onednn_, kernel_, data_pd_.weights_desc(), Conversion::kAlways);
    data_scratchpad_ = std::max(bytes(data_pd_.scratchpad_desc()), data_dx_.scratchpad_bytes());
    Pieces pieces(nullptr);
    pieces.take(data_dy_.target_bytes());
    pieces.take(data_dx_.source_bytes());
    pieces.take(data_scratchpad_);
    data_bytes_ = pieces.used();
  }

  void make_backward_kernel() {
    kernel_pd_ = {
        {kind(), wanted(x_), any(kernel_), wanted(y_), strides_, dilations_, pads_, pads_},
        user_scratchpad(),
        onednn_.engine,
        forward_pd_};
    backward_kernel_ = dnnl::convolution_backward_weights(kernel_pd_);
    kernel_x_ = Conversion(onednn_, x_, kernel_pd_.src_desc());
    kernel_dy_ = Conversion(onednn_, y_, kernel_pd_.diff_dst_desc());
    const memory::desc made = kernel_pd_.diff_weights_desc();
    unpack_ = Conversion(onednn_, made, kernel_, Conversion::kAlways);
    unpack_add_ = Conversion(onednn_, made, kernel_, Conversion::kAccumulate);
    kernel_scratchpad_ = std::max({bytes(kernel_pd_.scratchpad_desc()), unpack_.scratchpad_bytes(),
                                   unpack_add_.scratchpad_bytes()});
    Pieces pieces(nullptr);
    pieces.take(kernel_x_.target_bytes());
    pieces.take(kernel_dy_.target_bytes());
    pieces.take(unpack_.source_bytes());
    pieces.take(kernel_scratchpad_);
    kernel_bytes_ = pieces.used();
  }

  OneDnn& onednn_;
  bool winograd_;
  memory::desc x_, y_, kernel_;  // as our tensors lie
  memory::dims strides_, pads_, dilations_;
  dnnl::convolution_forward::primitive_desc forward_pd_;
  dnnl::convolution_backward_data::primitive_desc data_pd_;
  dnnl::convolution_backward_weights::primitive_desc kernel_pd_;
  dnnl::convolution_forward forward_;
  dnnl::convolution_backward_data data_;
  dnnl::convolution_backward_weights backward_kernel_;
  Conversion pack_[2];
  Conversion forward_x_, forward_y_, data_dy_, data_dx_, kernel_x_, kernel_dy_, unpack_,
      unpack_add_;
  int64_t forward_scratchpad_ = 0, data_scratchpad_ = 0, kernel_scratchpad_ = 0;
  int64_t forward_bytes_ = 0, data_bytes_ = 0, kernel_bytes_ = 0;
};

}  // namespace

std::unique_ptr<ConvolutionPlan> make_convolution(OneDnn& onednn,
                                                  const ConvolutionGeometry& geometry) {
  for (const Shape& shape : {geometry.input, geometry.kernel, geometry.output()})
    require_countable(shape);
  require_countable(geometry.input, {geometry.kernel[2], geometry.kernel[3]}, geometry.stride,
                    geometry.pad, geometry.dilation);
  if (is_strided_pointwise(geometry)) return make_strided_pointwise(onednn, geometry);
  return checked(text("convolution of ", geometry.input.str(), " with ", geometry.kernel.str(),
                      ", groups ", geometry.groups),
                 [&] { return std::make_unique<Convolution>(onednn, geometry); });
}

}  // namespace orepa::cpu
