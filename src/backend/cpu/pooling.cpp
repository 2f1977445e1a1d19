#include <algorithm>

#include "backend/cpu/onednn.h"
#include "backend/pooling_loops.h"
#include "orepa/numbers.h"

namespace orepa::cpu {
namespace {

using dnnl::memory;

class Pooling : public PoolingPlan {
 public:
  Pooling(OneDnn& onednn, const PoolingGeometry& g)
      : onednn_(onednn), geometry_(g), x_(stored(g.input, g.type)), y_(stored(g.output, g.type)) {
    const bool average = g.method == PoolingGeometry::Method::kAverage;
    memory::dims strides, kernel, left, right;
    for (int axis = 0; axis < 2; ++axis) {
      const int64_t reach = (g.output[2 + axis] - 1) * g.stride[axis] + g.kernel[axis];
      strides.push_back(g.stride[axis]);
      kernel.push_back(g.kernel[axis]);
      left.push_back(g.pad[axis]);
      right.push_back(std::max<int64_t>(0, reach - g.input[2 + axis] - g.pad[axis]));
      clipped_ = clipped_ || (average && reach > g.input[2 + axis] + 2 * g.pad[axis]);
    }
    const auto method =
        average ? dnnl::algorithm::pooling_avg_include_padding : dnnl::algorithm::pooling_max;
    const auto propagation =
        g.training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
    forward_pd_ = {{propagation, method, x_, y_, strides, kernel, left, right}, onednn_.engine};
    forward_ = dnnl::pooling_forward(forward_pd_);
    if (!g.training) return;
    backward_pd_ = {{method, x_, y_, strides, kernel, left, right}, onednn_.engine, forward_pd_};
    backward_ = dnnl::pooling_backward(backward_pd_);
    saved_bytes_ = average ? 0 : bytes(forward_pd_.workspace_desc());
  }

  int64_t saved_bytes() const override { return saved_bytes_; }
  int64_t backward_workspace() const override {
    return clipped_ ? geometry_.output.bytes(geometry_.type) : 0;
  }

  void forward(const void* x, void* y, void* saved) override {
    run(forward_, DNNL_ARG_SRC, x, DNNL_ARG_DST, y, saved);
    if (clipped_) divide_by_clipped_area(y, y);
  }

  void backward(const void* dy, const void* saved, void* dx, void* workspace) override {
    if (clipped_) {
      divide_by_clipped_area(dy, workspace);
      dy = workspace;
    }
    run(backward_, DNNL_ARG_DIFF_SRC, dx, DNNL_ARG_DIFF_DST, dy, saved);
  }

 private:
  void run(const dnnl::primitive& primitive, int x_name, const void* x, int y_name, const void* y,
           const void* saved) {
    std::unordered_map<int, memory> arguments = {{x_name, view(onednn_, x_, x)},
                                                 {y_name, view(onednn_, y_, y)}};
    if (saved_bytes_ > 0)
      arguments[DNNL_ARG_WORKSPACE] = view(onednn_, forward_pd_.workspace_desc(), saved);
    onednn_.run(primitive, arguments);
  }

  // oneDNN divides by the whole window; Caffe by the part of it that does not hang over the
  // padding.
  void divide_by_clipped_area(const void* dividends, void* quotients) const {
    const PoolingGeometry& g = geometry_;
    const Numbers from(Tensor{const_cast<void*>(dividends), g.output, g.type});
    const Numbers to(Tensor{quotients, g.output, g.type});
    const auto correction = [&](int64_t o, int axis) {
      const int64_t start = o * g.stride[axis] - g.pad[axis];
      const int64_t end = std::min(start + g.kernel[axis], g.input[2 + axis] + g.pad[axis]);
      return static_cast<float>(g.kernel[axis]) / static_cast<float>(end - start);
    };
    const int64_t channels = g.output[1], height = g.output[2], width = g.output[3];
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < g.output[0] * height; ++row)
      for (int64_t w = 0; w < width; ++w) {
        const float factor = correction(row % height, 0) * correction(w, 1);
        const int64_t begin = (row * width + w) * channels;
        for (int64_t i = begin; i < begin + channels; ++i) to.set(i, from[i] * factor);
      }
  }

  OneDnn& onednn_;
  PoolingGeometry geometry_;
  memory::desc x_, y_;
  dnnl::pooling_forward::primitive_desc forward_pd_;
  dnnl::pooling_backward::primitive_desc backward_pd_;
  dnnl::pooling_forward forward_;
  dnnl::pooling_backward backward_;
  bool clipped_ = false;  // some average window hangs over the padding
  int64_t saved_bytes_ = 0;
};

}  // namespace

std::unique_ptr<PoolingPlan> make_pooling(OneDnn& onednn, const PoolingGeometry& geometry) {
  for (const Shape& shape : {geometry.input, geometry.output}) require_countable(shape);
  require_countable(geometry.input, geometry.kernel, geometry.stride, geometry.pad);
  // Of windows whose pixels one byte does not number, oneDNN 2.6 forgets the maxima of half of the
  // channels in bfloat16, without a word.
  if (geometry.type == DType::kBFloat16 && geometry.method == PoolingGeometry::Method::kMax &&
      geometry.kernel[0] * geometry.kernel[1] > 255)
    return make_pooling_loops(onednn.device(), geometry);
  return checked(text("pooling of ", geometry.input.str()),
                 [&] { return std::make_unique<Pooling>(onednn, geometry); });
}

}  // namespace orepa::cpu
