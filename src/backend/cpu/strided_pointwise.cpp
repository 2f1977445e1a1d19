// A 1 x 1 convolution with stride reads one pixel in stride x stride: here those pixels are
// gathered, and what is left is a 1 x 1 convolution without stride.
//
// oneDNN does the same inside (jit_1x1, "rtus"), but in 2.6.3, where an image has fewer than 16
// channels and several threads share it, writes beyond its buffers and loses a part of the data
// gradient (tests/backend/cpu/convolution_test.cpp, strided_1x1_of_few_channels).
#include <algorithm>

#include "backend/cpu/onednn.h"

namespace orepa::cpu {
namespace {

class StridedPointwise : public ConvolutionPlan {
 public:
  StridedPointwise(OneDnn& onednn, const ConvolutionGeometry& g)
      : x_(g.input),
        small_{g.input[0], g.input[1], g.output()[2], g.output()[3]},
        stride_(g.stride),
        plan_(make_convolution(onednn, dense(g))) {}

  int64_t packed_bytes(Direction direction) const override {
    return plan_->packed_bytes(direction);
  }
  int packed_layout(Direction direction) const override { return plan_->packed_layout(direction); }
  void pack(Direction direction, const float* kernel, void* packed) override {
    plan_->pack(direction, kernel, packed);
  }
  int64_t forward_workspace() const override { return with_small(plan_->forward_workspace()); }
  int64_t backward_data_workspace() const override {
    return with_small(plan_->backward_data_workspace());
  }
  int64_t backward_kernel_workspace() const override {
    return with_small(plan_->backward_kernel_workspace());
  }

  void forward(const float* x, const void* packed, const float* bias, float* y,
               void* workspace) override {
    Pieces pieces(workspace);
    float* small = take_small(pieces);
    gather(x, small);
    plan_->forward(small, packed, bias, y, pieces.take(plan_->forward_workspace()));
  }

  void backward_data(const float* dy, const void* packed, float* dx, void* workspace) override {
    Pieces pieces(workspace);
    float* small = take_small(pieces);
    plan_->backward_data(dy, packed, small, pieces.take(plan_->backward_data_workspace()));
    spread(small, dx);
  }

  void backward_kernel(const float* x, const float* dy, float* dkernel, bool accumulate,
                       void* workspace) override {
    Pieces pieces(workspace);
    float* small = take_small(pieces);
    gather(x, small);
    plan_->backward_kernel(small, dy, dkernel, accumulate,
                           pieces.take(plan_->backward_kernel_workspace()));
  }

  std::string algorithm() const override { return plan_->algorithm(); }

 private:
  static ConvolutionGeometry dense(ConvolutionGeometry g) {
    const Shape y = g.output();
    g.input = {g.input[0], g.input[1], y[2], y[3]};
    g.stride = g.dilation = {1, 1};
    return g;
  }
  int64_t with_small(int64_t workspace) const { return aligned(small_.bytes()) + workspace; }
  float* take_small(Pieces& pieces) const {
    return static_cast<float*>(pieces.take(small_.bytes()));
  }

  // small[n, c, h, w] = x[n, c, h stride, w stride]
  void gather(const float* x, float* small) const {
    const int64_t channels = x_[1];
#pragma omp parallel for
    for (int64_t row = 0; row < small_[0] * small_[2]; ++row) {
      const int64_t n = row / small_[2], h = row % small_[2];
      const float* from = x + (n * x_[2] + h * stride_[0]) * x_[3] * channels;
      float* to = small + row * small_[3] * channels;
      for (int64_t w = 0; w < small_[3]; ++w)
        std::copy_n(from + w * stride_[1] * channels, channels, to + w * channels);
    }
  }

  // dx[n, c, h stride, w stride] = small[n, c, h, w], zero in between.
  void spread(const float* small, float* dx) const {
    const int64_t channels = x_[1];
#pragma omp parallel for
    for (int64_t row = 0; row < x_[0] * x_[2]; ++row) {
      const int64_t n = row / x_[2], h = row % x_[2];
      float* to = dx + row * x_[3] * channels;
      std::fill_n(to, x_[3] * channels, 0.0f);
      if (h % stride_[0] != 0) continue;
      const float* from = small + (n * small_[2] + h / stride_[0]) * small_[3] * channels;
      for (int64_t w = 0; w < small_[3]; ++w)
        std::copy_n(from + w * channels, channels, to + w * stride_[1] * channels);
    }
  }

  Shape x_, small_;
  Pair stride_;
  std::unique_ptr<ConvolutionPlan> plan_;
};

}  // namespace

bool is_strided_pointwise(const ConvolutionGeometry& g) {
  return g.kernel[2] == 1 && g.kernel[3] == 1 && g.pad == Pair{0, 0} && g.stride != Pair{1, 1};
}

std::unique_ptr<ConvolutionPlan> make_strided_pointwise(OneDnn& onednn,
                                                        const ConvolutionGeometry& geometry) {
  return std::make_unique<StridedPointwise>(onednn, geometry);
}

}  // namespace orepa::cpu
