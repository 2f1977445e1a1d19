// A 1 x 1 convolution with stride reads one pixel in stride x stride: here those pixels are
// gathered, and what is left is a 1 x 1 convolution without stride.
//
// oneDNN does the same inside (jit_1x1, "rtus"), but in 2.6.3, where an image has fewer than 16
// channels and several threads share it, writes beyond its buffers and loses a part of the data
// gradient (tests/backend/cpu/convolution_test.cpp, strided_1x1_of_few_channels).
#include <cstring>

#include "backend/cpu/onednn.h"

namespace orepa::cpu {
namespace {

class StridedPointwise : public ConvolutionPlan {
 public:
  StridedPointwise(OneDnn& onednn, const ConvolutionGeometry& g)
      : x_(g.input),
        small_{g.input[0], g.input[1], g.output()[2], g.output()[3]},
        pixel_(g.input[1] * size_of(g.type)),
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

  void forward(const void* x, const void* packed, const float* bias, void* y,
               void* workspace) override {
    Pieces pieces(workspace);
    void* small = pieces.take(small_bytes());
    gather(x, small);
    plan_->forward(small, packed, bias, y, pieces.take(plan_->forward_workspace()));
  }

  void backward_data(const void* dy, const void* packed, void* dx, void* workspace) override {
    Pieces pieces(workspace);
    void* small = pieces.take(small_bytes());
    plan_->backward_data(dy, packed, small, pieces.take(plan_->backward_data_workspace()));
    spread(small, dx);
  }

  void backward_kernel(const void* x, const void* dy, float* dkernel, bool accumulate,
                       void* workspace) override {
    Pieces pieces(workspace);
    void* small = pieces.take(small_bytes());
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
  int64_t small_bytes() const { return small_.count() / small_[1] * pixel_; }
  int64_t with_small(int64_t workspace) const { return aligned(small_bytes()) + workspace; }

  // small[n, c, h, w] = x[n, c, h stride, w stride]
  void gather(const void* x, void* small) const {
#pragma omp parallel for
    for (int64_t row = 0; row < small_[0] * small_[2]; ++row) {
      const int64_t n = row / small_[2], h = row % small_[2];
      const char* from =
          static_cast<const char*>(x) + (n * x_[2] + h * stride_[0]) * x_[3] * pixel_;
      char* to = static_cast<char*>(small) + row * small_[3] * pixel_;
      for (int64_t w = 0; w < small_[3]; ++w)
        std::memcpy(to + w * pixel_, from + w * stride_[1] * pixel_, static_cast<size_t>(pixel_));
    }
  }

  // dx[n, c, h stride, w stride] = small[n, c, h, w], zero in between.
  void spread(const void* small, void* dx) const {
#pragma omp parallel for
    for (int64_t row = 0; row < x_[0] * x_[2]; ++row) {
      const int64_t n = row / x_[2], h = row % x_[2];
      char* to = static_cast<char*>(dx) + row * x_[3] * pixel_;
      std::memset(to, 0, static_cast<size_t>(x_[3] * pixel_));
      if (h % stride_[0] != 0) continue;
      const char* from =
          static_cast<const char*>(small) + (n * small_[2] + h / stride_[0]) * small_[3] * pixel_;
      for (int64_t w = 0; w < small_[3]; ++w)
        std::memcpy(to + w * stride_[1] * pixel_, from + w * pixel_, static_cast<size_t>(pixel_));
    }
  }

  Shape x_, small_;
  int64_t pixel_;  // bytes of all channels
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
