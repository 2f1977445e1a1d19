// Winograd's convolution: F(4 x 4, 3 x 3) in float32, 36 multiplications where the direct one needs
// 144; F(2 x 2, 3 x 3) where activations are bfloat16, 16 for 36, which are so as well.
//
// Tiles of outputs go in blocks whose transforms stay in the cache: a block becomes 36 or 16
// matrices of tiles x channels, each is multiplied by the kernel's of its number, and the products
// are transformed back. Which tiles are a block depends on the geometry alone, so any number of
// threads gives the same bits.
#include <omp.h>

#include <algorithm>
#include <cstring>

#include "backend/cpu/onednn.h"
#include "backend/cpu/winograd_products.h"
#include "backend/cpu/winograd_tiles.h"

namespace orepa::cpu {
namespace {

using namespace winograd;

constexpr int64_t kBlockBytes = 1 << 20;  // about what the matrices of a block take
constexpr int64_t kFewestTiles = 64;      // of a block: fewer would read the kernel too often
constexpr int64_t kSlice = 128;           // rows of a kernel gradient that one thread multiplies

void require_products(int failures) {
  require(failures == 0, "a product of Winograd's convolution was refused by oneDNN");
}

// How many tiles a block has: as many as fit, in blocks of equal size.
int64_t block_of(int64_t tiles, int64_t bytes_of_tile) {
  const int64_t fit = kBlockBytes / bytes_of_tile;
  const int64_t most = std::max(fit, kFewestTiles), blocks = (tiles + most - 1) / most;
  return (tiles + blocks - 1) / blocks;
}

// The tiles, of `side` x `side` outputs, of an image whose convolution has outputs of `to`.
Tiles tiles_of(int64_t side, const Shape& from, const Shape& to, const Pair& pad) {
  return {side, from[2], from[3], from[1], (to[2] + side - 1) / side, (to[3] + side - 1) / side,
          pad};
}
int64_t count(const Tiles& tiles, const Shape& image) {
  return image[0] * tiles.down * tiles.across;
}

// y from x, or dx from dy: products of tiles x channels by channels x channels. Each thread
// takes blocks of its own; those that are left over, or all where they are fewer than threads, are
// made by all threads together.
template <class Element>
class Correlation {
 public:
  Correlation(InstructionSet set, const Shape& from, const Shape& to, const Pair& pad)
      : set_(set),
        source_(tiles_of(kTile<Element>, from, to, pad)),
        target_(tiles_of(kTile<Element>, to, to, {0, 0})),
        total_(count(source_, to)),
        block_(block_of(total_, kMatrices * static_cast<int64_t>(from[1] * sizeof(Element) +
                                                                 to[1] * sizeof(float)))),
        blocks_((total_ + block_ - 1) / block_),
        transformed_(kMatrices, block_, from[1]),
        product_(kMatrices, block_, to[1]),
        kernel_(kMatrices, from[1], to[1]),
        threads_(blocks_ < omp_get_max_threads() ? 1 : omp_get_max_threads()) {}

  const Matrices<Element>& kernel() const { return kernel_; }
  int64_t workspace() const { return threads_ * of_block(); }

  void run(const Multiplier<Element>& multiplier, const Element* from, const Element* kernel,
           Element* to, const Epilogue& epilogue, void* workspace) const {
    const int64_t threads = std::min<int64_t>(threads_, omp_get_max_threads());
    const int64_t alone = blocks_ < omp_get_max_threads() ? 0 : blocks_ / threads * threads;
    const auto memory = [&](int64_t thread) {
      char* begin = static_cast<char*>(workspace) + thread * of_block();
      return Block{reinterpret_cast<Element*>(begin),
                   reinterpret_cast<float*>(begin + aligned(transformed_.bytes()))};
    };
    // `some` of the matrices, from number k on.
    const auto multiply = [&](int64_t k, int64_t some, int64_t count, const Block& block) {
      return multiplier.run({false, false, count, target_.channels, source_.channels,
                             transformed_.row(), kernel_.row(), product_.row(), some,
                             transformed_.matrix(), kernel_.matrix(), product_.matrix()},
                            transformed_.at(block.transformed, k, 0), kernel_.at(kernel, k, 0),
                            product_.at(block.product, k, 0));
    };
    int failures = 0;
#pragma omp parallel
    {
#pragma omp for schedule(static) reduction(+ : failures)
      for (int64_t share = 0; share < threads; ++share)
        for (int64_t b = share * (alone / threads); b < (share + 1) * (alone / threads); ++b) {
          const Block block = memory(share);
          const int64_t begin = b * block_, count = std::min(block_, total_ - begin);
          for (int64_t t = 0; t < count; ++t)
            gather<Input>(set_, source_, from, begin + t, transformed_, block.transformed, t);
          failures += multiply(0, kMatrices, count, block);
          for (int64_t t = 0; t < count; ++t)
            scatter(set_, target_, product_, block.product, t, to, begin + t, epilogue);
        }
      for (int64_t b = alone; b < blocks_; ++b) {
        const Block block = memory(0);
        const int64_t begin = b * block_, count = std::min(block_, total_ - begin);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < count; ++t)
          gather<Input>(set_, source_, from, begin + t, transformed_, block.transformed, t);
#pragma omp for schedule(static) reduction(+ : failures)
        for (int64_t k = 0; k < kMatrices; ++k) failures += multiply(k, 1, count, block);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < count; ++t)
          scatter(set_, target_, product_, block.product, t, to, begin + t, epilogue);
      }
    }
    require_products(failures);
  }

 private:
  static constexpr int64_t kMatrices = kProducts<Element>;
  using Input = typename Transforms<Element>::Input;
  struct Block {
    Element* transformed;
    float* product;
  };
  int64_t of_block() const { return aligned(transformed_.bytes()) + aligned(product_.bytes()); }

  InstructionSet set_;
  Tiles source_, target_;
  int64_t total_, block_, blocks_;
  Matrices<Element> transformed_;
  Matrices<float> product_;
  Matrices<Element> kernel_;
  int64_t threads_;  // that have workspace of their own
};

// dkernel from x and dy: products of channels x tiles by tiles x channels.
template <class Element>
class KernelGradient {
 public:
  KernelGradient(InstructionSet set, const ConvolutionGeometry& g)
      : set_(set),
        x_(tiles_of(kTile<Element>, g.input, g.output(), g.pad)),
        dy_(tiles_of(kTile<Element>, g.output(), g.output(), {0, 0})),
        total_(count(dy_, g.output())),
        block_(block_of(total_, kMatrices * static_cast<int64_t>((g.input[1] + g.kernel[0]) *
                                                                 sizeof(Element)))),
        of_x_(kMatrices, block_, g.input[1]),
        of_dy_(kMatrices, block_, g.kernel[0]),
        product_(kMatrices, g.kernel[0], g.input[1]) {}

  int64_t workspace() const {
    return aligned(of_x_.bytes()) + aligned(of_dy_.bytes()) + product_.bytes();
  }

  void run(const Multiplier<Element>& multiplier, const Element* x, const Element* dy,
           float* dkernel, bool accumulate, void* workspace) const {
    Pieces pieces(workspace);
    auto* of_x = static_cast<Element*>(pieces.take(of_x_.bytes()));
    auto* of_dy = static_cast<Element*>(pieces.take(of_dy_.bytes()));
    float* product = static_cast<float*>(pieces.take(product_.bytes()));
    const int64_t inputs = x_.channels, outputs = dy_.channels;
    const int64_t slices = (outputs + kSlice - 1) / kSlice;
    // Several at once where there are enough for all threads.
    const int64_t most = std::max<int64_t>(1, kMatrices / (4 * omp_get_max_threads()));
    const int64_t groups = (kMatrices + most - 1) / most;
    int failures = 0;
#pragma omp parallel
    {
      for (int64_t begin = 0; begin < total_; begin += block_) {
        const int64_t count = std::min(block_, total_ - begin);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < count; ++t) {
          gather<typename Transforms<Element>::Input>(set_, x_, x, begin + t, of_x_, of_x, t);
          gather<typename Transforms<Element>::Gradient>(set_, dy_, dy, begin + t, of_dy_, of_dy,
                                                         t);
        }
#pragma omp for schedule(static) reduction(+ : failures)
        for (int64_t i = 0; i < groups * slices; ++i) {
          const int64_t k = i / slices * most, first = i % slices * kSlice;
          failures += multiplier.run(
              {true, begin > 0, std::min(kSlice, outputs - first), inputs, count, of_dy_.row(),
               of_x_.row(), product_.row(), std::min(most, kMatrices - k), of_dy_.matrix(),
               of_x_.matrix(), product_.matrix()},
              of_dy_.at(of_dy, k, 0) + first, of_x_.at(of_x, k, 0), product_.at(product, k, first));
        }
      }
#pragma omp for schedule(static)
      for (int64_t o = 0; o < outputs; ++o)
        execute(set_, [&] {
          for (int64_t q = 0; q < panels(inputs); ++q) {
            const int64_t lanes = lanes_of(q, inputs);
            transform<typename Transforms<Element>::KernelGradient>(
                [&](int k, Panel& panel) { load(product_.at(product, k, o, q), kPanel, panel); },
                [&](int k, const Panel& panel) {
                  float* to = dkernel + (o * 9 + k) * inputs + q * kPanel;
                  Panel before{};
                  if (accumulate) load(to, lanes, before);
                  store(before + panel, lanes, to);
                });
          }
        });
    }
    require_products(failures);
  }

 private:
  InstructionSet set_;
  static constexpr int64_t kMatrices = kProducts<Element>;
  Tiles x_, dy_;
  int64_t total_, block_;
  Matrices<Element> of_x_, of_dy_;
  Matrices<float> product_;
};

// The kernel of the forward pass, C rows of O. It is stored O, 3, 3, C: 16 x 16 channels are
// transposed at a time, before the transform, where there are 9 numbers each and not 36.
template <class Element>
void pack_forward(InstructionSet set, const float* kernel, int64_t outputs, int64_t inputs,
                  const Matrices<Element>& m, Element* packed) {
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t q = 0; q < panels(inputs); ++q)
    for (int64_t p = 0; p < panels(outputs); ++p) {
      alignas(64) float square[9][kPanel][kPanel];
      const int64_t rows = lanes_of(q, inputs), columns = lanes_of(p, outputs);
      for (int64_t k = 0; k < 9; ++k)
        for (int64_t l = 0; l < kPanel; ++l)
          for (int64_t c = 0; c < rows; ++c)
            square[k][c][l] =
                l < columns ? kernel[((p * kPanel + l) * 9 + k) * inputs + q * kPanel + c] : 0;
      execute(set, [&] {
        for (int64_t c = 0; c < rows; ++c)
          transform<typename Transforms<Element>::Kernel>(
              [&](int k, Panel& panel) { load(square[k][c], kPanel, panel); },
              [&](int k, const Panel& panel) {
                store(panel, kPanel, m.at(packed, k, q * kPanel + c, p));
              });
      });
    }
}

// That of the data gradient: rotated, O rows of C.
template <class Element>
void pack_backward(InstructionSet set, const float* kernel, int64_t outputs, int64_t inputs,
                   const Matrices<Element>& m, Element* packed) {
#pragma omp parallel for schedule(static)
  for (int64_t o = 0; o < outputs; ++o)
    execute(set, [&] {
      for (int64_t q = 0; q < panels(inputs); ++q)
        transform<typename Transforms<Element>::Kernel>(
            [&](int k, Panel& panel) {
              load(kernel + (o * 9 + 8 - k) * inputs + q * kPanel, lanes_of(q, inputs), panel);
            },
            [&](int k, const Panel& panel) { store(panel, kPanel, m.at(packed, k, o, q)); });
    });
}

template <class Element>
class Winograd : public ConvolutionPlan {
 public:
  Winograd(OneDnn& onednn, const ConvolutionGeometry& g, InstructionSet set)
      : onednn_(onednn),
        multiplier_(onednn),
        g_(g),
        set_(set),
        forward_(set, g.input, g.output(), g.pad),
        data_(set, g.output(), g.input, {2 - g.pad[0], 2 - g.pad[1]}),
        kernel_(set, g) {}

  int64_t packed_bytes(Direction direction) const override { return matrices(direction).bytes(); }
  int packed_layout(Direction direction) const override {
    return onednn_.layout(direction == kForward ? "winograd" : "winograd of the data gradient",
                          stored(g_.kernel, g_.type));
  }
  void pack(Direction direction, const float* kernel, void* packed) override {
    onednn_.count_launch();
    (direction == kForward ? pack_forward<Element>
                           : pack_backward<Element>)(set_, kernel, g_.kernel[0], g_.kernel[1],
                                                     matrices(direction),
                                                     static_cast<Element*>(packed));
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
  Correlation<Element> forward_, data_;
  KernelGradient<Element> kernel_;
};

}  // namespace

// It needs enough tiles to pay for transforming the kernel, and enough channels to pay for
// transforming the tiles; the bounds are measured (docs/performance.md, "Convolution algorithms").
bool is_winograd(const ConvolutionGeometry& g, Algorithm algorithm) {
  const bool possible = g.kernel[2] == 3 && g.kernel[3] == 3 && g.stride == Pair{1, 1} &&
                        g.dilation == Pair{1, 1} && g.groups == 1 && g.pad[0] <= 2 && g.pad[1] <= 2;
  const bool narrow = g.type == DType::kBFloat16;
  const int64_t side = narrow ? kTile<BFloat16> : kTile<float>;
  const int64_t tiles = count(tiles_of(side, g.output(), g.output(), {0, 0}), g.output());
  const int64_t channels = std::min(g.input[1], g.kernel[0]);
  const bool faster =
      narrow ? multiplies_bfloat16() && channels >= 128 && tiles >= 64
             : instruction_set() != InstructionSet::kBaseline && channels >= 32 && tiles >= 32;
  return algorithm == Algorithm::kAuto && possible && faster;
}

std::unique_ptr<ConvolutionPlan> make_winograd(OneDnn& onednn, const ConvolutionGeometry& geometry,
                                               InstructionSet set) {
  if (geometry.type == DType::kBFloat16)
    return std::make_unique<Winograd<BFloat16>>(onednn, geometry, set);
  return std::make_unique<Winograd<float>>(onednn, geometry, set);
}

}  // namespace orepa::cpu
