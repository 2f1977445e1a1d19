// Winograd's convolution: F(4 x 4, 3 x 3) in float32, 36 multiplications where the direct one needs
// 144, and F(2 x 2, 5 x 5), 36 for 100; F(2 x 2, 3 x 3) where activations are bfloat16, 16 for 36,
// which are so as well.
//
// Tiles of outputs go in blocks whose transforms stay in the cache: a block becomes 36 or 16
// matrices of tiles x channels, each is multiplied by the kernel's of its number, and the products
// are transformed back. Which tiles are a block depends on the geometry alone, so any number of
// threads gives the same bits. Each group is a convolution over its own channels of the images.
#include "backend/cpu/onednn.h"
#include "backend/cpu/winograd_correlation.h"
#include "backend/cpu/winograd_kernel_gradient.h"
#include "backend/cpu/winograd_kernels.h"

namespace orepa::cpu {
namespace {

using namespace winograd;

template <class Filter>
class Winograd : public ConvolutionPlan {
 public:
  using Element = typename Filter::Element;

  Winograd(OneDnn& onednn, const ConvolutionGeometry& g, InstructionSet set)
      : onednn_(onednn),
        multiplier_(onednn),
        g_(g),
        set_(set),
        forward_(set, g.input, g.output(), g.pad, g.groups),
        data_(set, g.output(), g.input,
              {Filter::kKernel - 1 - g.pad[0], Filter::kKernel - 1 - g.pad[1]}, g.groups),
        kernel_(set, g) {}

  int64_t packed_bytes(Direction direction) const override {
    return g_.groups * matrices(direction).bytes();
  }
  int packed_layout(Direction direction) const override {
    return onednn_.layout(text("winograd in ", g_.groups, " groups",
                               direction == kForward ? "" : ", of the data gradient"),
                          stored(g_.kernel, g_.type));
  }
  void pack(Direction direction, const float* kernel, void* packed) override {
    onednn_.count_launch();
    const Matrices<Element>& m = matrices(direction);
    const auto pack = direction == kForward ? pack_forward<Filter> : pack_backward<Filter>;
    for (int64_t group = 0; group < g_.groups; ++group)
      pack(set_, kernel + group * g_.kernel.count() / g_.groups, g_.kernel[0] / g_.groups,
           g_.kernel[1], m, static_cast<Element*>(packed) + group * m.numbers());
  }

  int64_t forward_workspace() const override { return forward_.workspace(); }
  int64_t backward_data_workspace() const override { return data_.workspace(); }
  int64_t backward_kernel_workspace() const override { return kernel_.workspace(); }

  void forward(const void* x, const void* packed, const float* bias, void* y,
               void* workspace) override {
    onednn_.count_launch();
    forward_.run(multiplier_, static_cast<const Element*>(x), static_cast<const Element*>(packed),
                 static_cast<Element*>(y), {bias, g_.relu}, workspace);
  }
  void backward_data(const void* dy, const void* packed, void* dx, void* workspace) override {
    onednn_.count_launch();
    data_.run(multiplier_, static_cast<const Element*>(dy), static_cast<const Element*>(packed),
              static_cast<Element*>(dx), {nullptr, false}, workspace);
  }
  void backward_kernel(const void* x, const void* dy, float* dkernel, bool accumulate,
                       void* workspace) override {
    onednn_.count_launch();
    kernel_.run(multiplier_, static_cast<const Element*>(x), static_cast<const Element*>(dy),
                dkernel, accumulate, workspace);
  }
  std::string algorithm() const override { return "winograd"; }

 private:
  const Matrices<Element>& matrices(Direction direction) const {
    return (direction == kForward ? forward_ : data_).kernel();
  }
  OneDnn& onednn_;
  Multiplier<Element> multiplier_;
  ConvolutionGeometry g_;
  InstructionSet set_;
  Correlation<Filter> forward_, data_;
  KernelGradient<Filter> kernel_;
};

}  // namespace

// It needs enough tiles to pay for transforming the kernel, and enough channels to pay for
// transforming the tiles; the bounds are measured (docs/performance.md, "Convolution algorithms").
// Outputs below 8 x 8 do not pay with 5 x 5 kernels, which lie much on padding that the direct
// convolution leaves out, nor in groups, each of which reads short pieces of the image.
bool is_winograd(const ConvolutionGeometry& g, Algorithm algorithm) {
  const int64_t side = g.kernel[2];
  const bool possible = (side == 3 || (side == 5 && g.type == DType::kFloat32)) &&
                        g.kernel[3] == side && g.stride == Pair{1, 1} && g.dilation == Pair{1, 1} &&
                        g.pad[0] < side && g.pad[1] < side;
  if (algorithm != Algorithm::kAuto || !possible) return false;
  const Shape y = g.output();
  if ((side == 5 || g.groups > 1) && std::min(y[2], y[3]) < 8) return false;
  const int64_t channels = std::min(g.kernel[1], g.kernel[0] / g.groups);
  const auto tiles = [&](int64_t tile) { return Tiles(tile, y, y, {0, 0}, g.groups).count; };
  if (g.type == DType::kBFloat16)
    return multiplies_bfloat16() && channels >= 128 && tiles(F2x3::kTile) >= 64;
  if (instruction_set() == InstructionSet::kBaseline || channels < 32) return false;
  return side == 3 ? tiles(F4x3::kTile) >= 32 : tiles(F2x5::kTile) >= 64;
}

std::unique_ptr<ConvolutionPlan> make_winograd(OneDnn& onednn, const ConvolutionGeometry& geometry,
                                               InstructionSet set) {
  if (geometry.type == DType::kBFloat16)
    return std::make_unique<Winograd<F2x3>>(onednn, geometry, set);
  if (geometry.kernel[2] == F2x5::kKernel)
    return std::make_unique<Winograd<F2x5>>(onednn, geometry, set);
  return std::make_unique<Winograd<F4x3>>(onednn, geometry, set);
}

}  // namespace orepa::cpu
