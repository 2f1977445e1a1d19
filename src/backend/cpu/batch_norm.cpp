#include <algorithm>

#include "backend/cpu/onednn.h"
#include "backend/cpu/statistics.h"

namespace orepa::cpu {
namespace {

using dnnl::memory;
using Flags = dnnl::normalization_flags;

// Any rank but 2 and 4 is row-major: images of one row, channel by channel. oneDNN is slow at
// rank 3.
memory::desc layout(const Shape& shape, DType type) {
  if (shape.rank() == 4 || shape.rank() == 2) return stored(shape, type);
  return {{shape[0], shape[1], 1, shape.count(2, shape.rank())},
          onednn_type(type),
          memory::format_tag::nchw};
}

class BatchNorm : public BatchNormPlan {
 public:
  BatchNorm(OneDnn& onednn, const BatchNormGeometry& g)
      : onednn_(onednn),
        shape_(g.shape),
        type_(g.type),
        data_(layout(g.shape, g.type)),
        channels_(stored(Shape{g.shape[1]})) {
    // Statistics are passed forward; backward has to know that they are the batch's.
    Flags flags = Flags::use_scale | Flags::use_shift;
    if (g.relu) flags = flags | Flags::fuse_norm_relu;
    const Flags given = flags | Flags::use_global_stats;
    inference_pd_ = {{dnnl::prop_kind::forward_inference, data_, g.eps, given},
                     user_scratchpad(),
                     onednn_.engine};
    inference_ = dnnl::batch_normalization_forward(inference_pd_);
    forward_bytes_ = bytes(inference_pd_.scratchpad_desc());
    if (!g.training) return;
    forward_pd_ = {{dnnl::prop_kind::forward_training, data_, g.eps, given},
                   user_scratchpad(),
                   onednn_.engine};
    forward_ = dnnl::batch_normalization_forward(forward_pd_);
    forward_bytes_ = std::max(forward_bytes_, bytes(forward_pd_.scratchpad_desc()));
    backward_pd_ = {{dnnl::prop_kind::backward, data_, data_, g.eps, flags},
                    user_scratchpad(),
                    onednn_.engine,
                    forward_pd_};
    backward_ = dnnl::batch_normalization_backward(backward_pd_);
    saved_bytes_ = g.relu ? bytes(forward_pd_.workspace_desc()) : 0;
    Pieces pieces(nullptr);
    pieces.take(bytes(backward_pd_.scratchpad_desc()));
    pieces.take(bytes(channels_));
    pieces.take(bytes(channels_));
    backward_bytes_ = pieces.used();
  }

  int64_t saved_bytes() const override { return saved_bytes_; }
  int64_t forward_workspace() const override { return forward_bytes_; }
  int64_t backward_workspace() const override { return backward_bytes_; }

  void forward(const void* x, const float* scale, const float* shift, void* y, float* mean,
               float* variance, void* saved, void* workspace) override {
    channel_statistics(shape_, type_, x, mean, variance);
    std::unordered_map<int, memory> arguments = statistics(x, scale, mean, variance);
    arguments[DNNL_ARG_SHIFT] = view(onednn_, channels_, shift);
    arguments[DNNL_ARG_DST] = view(onednn_, data_, y);
    arguments[DNNL_ARG_SCRATCHPAD] = view(onednn_, forward_pd_.scratchpad_desc(), workspace);
    if (saved_bytes_ > 0)
      arguments[DNNL_ARG_WORKSPACE] = view(onednn_, forward_pd_.workspace_desc(), saved);
    onednn_.run(forward_, arguments);
  }

  void normalize(const void* x, const float* scale, const float* shift, const float* mean,
                 const float* variance, void* y, void* workspace) override {
    std::unordered_map<int, memory> arguments = statistics(x, scale, mean, variance);
    arguments[DNNL_ARG_SHIFT] = view(onednn_, channels_, shift);
    arguments[DNNL_ARG_DST] = view(onednn_, data_, y);
    arguments[DNNL_ARG_SCRATCHPAD] = view(onednn_, inference_pd_.scratchpad_desc(), workspace);
    onednn_.run(inference_, arguments);
  }

  void backward(const void* x, const void* dy, const float* scale, const float* mean,
                const float* variance, const void* saved, void* dx, float* dscale, float* dshift,
                void* workspace) override {
    Pieces pieces(workspace);
    void* scratchpad = pieces.take(bytes(backward_pd_.scratchpad_desc()));
    void* unwanted_scale = pieces.take(bytes(channels_));
    void* unwanted_shift = pieces.take(bytes(channels_));
    std::unordered_map<int, memory> arguments = statistics(x, scale, mean, variance);
    arguments[DNNL_ARG_SHIFT] = view(onednn_, channels_, scale);  // asked for, but not read
    arguments[DNNL_ARG_DIFF_DST] = view(onednn_, data_, dy);
    arguments[DNNL_ARG_DIFF_SRC] = view(onednn_, data_, dx);
    arguments[DNNL_ARG_DIFF_SCALE] = view(onednn_, channels_, dscale ? dscale : unwanted_scale);
    arguments[DNNL_ARG_DIFF_SHIFT] = view(onednn_, channels_, dshift ? dshift : unwanted_shift);
    arguments[DNNL_ARG_SCRATCHPAD] = view(onednn_, backward_pd_.scratchpad_desc(), scratchpad);
    if (saved_bytes_ > 0)
      arguments[DNNL_ARG_WORKSPACE] = view(onednn_, forward_pd_.workspace_desc(), saved);
    onednn_.run(backward_, arguments);
  }

 private:
  std::unordered_map<int, memory> statistics(const void* x, const float* scale, const float* mean,
                                             const float* variance) {
    return {{DNNL_ARG_SRC, view(onednn_, data_, x)},
            {DNNL_ARG_SCALE, view(onednn_, channels_, scale)},
            {DNNL_ARG_MEAN, view(onednn_, channels_, mean)},
            {DNNL_ARG_VARIANCE, view(onednn_, channels_, variance)}};
  }

  OneDnn& onednn_;
  Shape shape_;
  DType type_;
  memory::desc data_, channels_;
  dnnl::batch_normalization_forward::primitive_desc inference_pd_, forward_pd_;
  dnnl::batch_normalization_backward::primitive_desc backward_pd_;
  dnnl::batch_normalization_forward inference_, forward_;
  dnnl::batch_normalization_backward backward_;
  int64_t saved_bytes_ = 0, forward_bytes_ = 0, backward_bytes_ = 0;
};

}  // namespace

std::unique_ptr<BatchNormPlan> make_batch_norm(OneDnn& onednn, const BatchNormGeometry& geometry) {
  require_countable(geometry.shape);
  return checked(text("batch normalisation of ", geometry.shape.str()),
                 [&] { return std::make_unique<BatchNorm>(onednn, geometry); });
}

}  // namespace orepa::cpu
