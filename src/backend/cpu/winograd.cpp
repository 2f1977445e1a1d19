// Winograd's convolution F(4 x 4, 3 x 3): 36 multiplications where the direct one needs 144.
//
// Tiles of 4 x 4 outputs go in blocks whose transforms stay in the cache: a block becomes 36
// matrices of tiles x channels, each is multiplied by the kernel's of its number (dnnl_sgemm), and
// the products are transformed back. Which tiles are a block depends on the geometry alone, so any
// number of threads gives the same bits.
#include <omp.h>

#include <algorithm>
#include <cstring>

#include "backend/cpu/onednn.h"
#include "backend/cpu/winograd_tiles.h"

namespace orepa::cpu {
namespace {

using namespace winograd;

constexpr int64_t kBlockBytes = 1 << 20;  // about what the matrices of a block take
constexpr int64_t kFewestTiles = 64;      // of a block: fewer would read the kernel too often
constexpr int64_t kSlice = 128;           // rows of a kernel gradient that one thread multiplies

// The number of failures, which is 0: exceptions cannot leave a parallel loop.
int multiply(char transpose_a, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
             const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  return dnnl_sgemm(transpose_a, 'N', m, n, k, 1, a, lda, b, ldb, beta, c, ldc) != dnnl_success;
}

void require_products(int failures) {
  require(failures == 0, "a product of Winograd's convolution was refused by oneDNN");
}

// How many tiles a block has: as many as fit, in blocks of equal size.
int64_t block_of(int64_t tiles, int64_t from, int64_t to) {
  const int64_t fit = kBlockBytes / (kProducts * int64_t{sizeof(float)} * (from + to));
  const int64_t most = std::max(fit, kFewestTiles), blocks = (tiles + most - 1) / most;
  return (tiles + blocks - 1) / blocks;
}

// The tiles of an image whose convolution has outputs of `to`, and of that.
Tiles tiles_of(const Shape& from, const Shape& to, const Pair& pad) {
  return {from[2], from[3], from[1], (to[2] + 3) / 4, (to[3] + 3) / 4, pad};
}
int64_t count(const Tiles& tiles, const Shape& image) {
  return image[0] * tiles.down * tiles.across;
}

// y from x, or dx from dy: 36 products of tiles x channels by channels x channels. Each thread
// takes blocks of its own; those that are left over, or all where they are fewer than threads, are
// made by all threads together.
class Correlation {
 public:
  Correlation(InstructionSet set, const Shape& from, const Shape& to, const Pair& pad)
      : set_(set),
        source_(tiles_of(from, to, pad)),
        target_(tiles_of(to, to, {0, 0})),
        total_(count(source_, to)),
        block_(block_of(total_, from[1], to[1])),
        blocks_((total_ + block_ - 1) / block_),
        transformed_(block_, from[1]),
        product_(block_, to[1]),
        kernel_(from[1], to[1]),
        threads_(blocks_ < omp_get_max_threads() ? 1 : omp_get_max_threads()) {}

  const Matrices& kernel() const { return kernel_; }
  int64_t workspace() const { return threads_ * of_block(); }

  void run(const float* from, const float* kernel, float* to, const Epilogue& epilogue,
           void* workspace) const {
    const int64_t threads = std::min<int64_t>(threads_, omp_get_max_threads());
    const int64_t alone = blocks_ < omp_get_max_threads() ? 0 : blocks_ / threads * threads;
    const auto memory = [&](int64_t thread) {
      char* begin = static_cast<char*>(workspace) + thread * of_block();
      return Block{reinterpret_cast<float*>(begin),
                   reinterpret_cast<float*>(begin + aligned(transformed_.bytes()))};
    };
    const auto multiply_one = [&](int64_t k, int64_t count, const Block& block) {
      return multiply('N', count, target_.channels, source_.channels,
                      transformed_.at(block.transformed, k, 0), transformed_.row(),
                      kernel_.at(kernel, k, 0), kernel_.row(), 0, product_.at(block.product, k, 0),
                      product_.row());
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
            gather<InputTransform>(set_, source_, from, begin + t, transformed_, block.transformed,
                                   t);
          for (int64_t k = 0; k < kProducts; ++k) failures += multiply_one(k, count, block);
          for (int64_t t = 0; t < count; ++t)
            scatter(set_, target_, product_, block.product, t, to, begin + t, epilogue);
        }
      for (int64_t b = alone; b < blocks_; ++b) {
        const Block block = memory(0);
        const int64_t begin = b * block_, count = std::min(block_, total_ - begin);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < count; ++t)
          gather<InputTransform>(set_, source_, from, begin + t, transformed_, block.transformed,
                                 t);
#pragma omp for schedule(static) reduction(+ : failures)
        for (int64_t k = 0; k < kProducts; ++k) failures += multiply_one(k, count, block);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < count; ++t)
          scatter(set_, target_, product_, block.product, t, to, begin + t, epilogue);
      }
    }
    require_products(failures);
  }

 private:
  struct Block {
    float *transformed, *product;
  };
  int64_t of_block() const { return aligned(transformed_.bytes()) + aligned(product_.bytes()); }

  InstructionSet set_;
  Tiles source_, target_;
  int64_t total_, block_, blocks_;
  Matrices transformed_, product_, kernel_;
  int64_t threads_;  // that have workspace of their own
};

// dkernel from x and dy: 36 products of channels x tiles by tiles x channels.
class KernelGradient {
 public:
  KernelGradient(InstructionSet set, const ConvolutionGeometry& g)
      : set_(set),
        x_(tiles_of(g.input, g.output(), g.pad)),
        dy_(tiles_of(g.output(), g.output(), {0, 0})),
        total_(count(dy_, g.output())),
        block_(block_of(total_, g.input[1], g.kernel[0])),
        of_x_(block_, g.input[1]),
        of_dy_(block_, g.kernel[0]),
        product_(g.kernel[0], g.input[1]) {}

  int64_t workspace() const {
    return aligned(of_x_.bytes()) + aligned(of_dy_.bytes()) + product_.bytes();
  }

  void run(const float* x, const float* dy, float* dkernel, bool accumulate,
           void* workspace) const {
    Pieces pieces(workspace);
    float* of_x = static_cast<float*>(pieces.take(of_x_.bytes()));
    float* of_dy = static_cast<float*>(pieces.take(of_dy_.bytes()));
    float* product = static_cast<float*>(pieces.take(product_.bytes()));
    const int64_t inputs = x_.channels, outputs = dy_.channels;
    const int64_t slices = (outputs + kSlice - 1) / kSlice;
    int failures = 0;
#pragma omp parallel
    {
      for (int64_t begin = 0; begin < total_; begin += block_) {
        const int64_t count = std::min(block_, total_ - begin);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < count; ++t) {
          gather<InputTransform>(set_, x_, x, begin + t, of_x_, of_x, t);
          gather<GradientTransform>(set_, dy_, dy, begin + t, of_dy_, of_dy, t);
        }
#pragma omp for schedule(static) reduction(+ : failures)
        for (int64_t i = 0; i < kProducts * slices; ++i) {
          const int64_t k = i / slices, first = i % slices * kSlice;
          failures += multiply('T', std::min(kSlice, outputs - first), inputs, count,
                               of_dy_.at(of_dy, k, 0) + first, of_dy_.row(), of_x_.at(of_x, k, 0),
                               of_x_.row(), begin > 0 ? 1.0f : 0.0f, product_.at(product, k, first),
                               product_.row());
        }
      }
#pragma omp for schedule(static)
      for (int64_t o = 0; o < outputs; ++o)
        execute(set_, [&] {
          for (int64_t q = 0; q < panels(inputs); ++q) {
            const int64_t lanes = lanes_of(q, inputs);
            transform<KernelGradientTransform>(
                kPanel, [&](int k) { return product_.at(product, k, o, q); },
                [&](int k, const float* values) {
                  float* to = dkernel + (o * 9 + k) * inputs + q * kPanel;
                  for (int64_t l = 0; l < lanes; ++l)
                    to[l] = accumulate ? to[l] + values[l] : values[l];
                });
          }
        });
    }
    require_products(failures);
  }

 private:
  InstructionSet set_;
  Tiles x_, dy_;
  int64_t total_, block_;
  Matrices of_x_, of_dy_, product_;
};

// The kernel of the forward pass, C rows of O. It is stored O, 3, 3, C: 16 x 16 channels are
// transposed at a time, before the transform, where there are 9 numbers each and not 36.
void pack_forward(InstructionSet set, const float* kernel, int64_t outputs, int64_t inputs,
                  const Matrices& m, float* packed) {
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
          transform<KernelTransform>(
              kPanel, [&](int k) { return square[k][c]; },
              [&](int k, const float* values) {
                std::memcpy(m.at(packed, k, q * kPanel + c, p), values, kPanel * sizeof(float));
              });
      });
    }
}

// That of the data gradient: rotated, O rows of C.
void pack_backward(InstructionSet set, const float* kernel, int64_t outputs, int64_t inputs,
                   const Matrices& m, float* packed) {
#pragma omp parallel for schedule(static)
  for (int64_t o = 0; o < outputs; ++o)
    execute(set, [&] {
      for (int64_t q = 0; q < panels(inputs); ++q)
        transform<KernelTransform>(
            lanes_of(q, inputs),
            [&](int k) { return kernel + (o * 9 + 8 - k) * inputs + q * kPanel; },
            [&](int k, const float* values) {
              std::memcpy(m.at(packed, k, o, q), values, kPanel * sizeof(float));
            });
    });
}

class Winograd : public ConvolutionPlan {
 public:
  Winograd(OneDnn& onednn, const ConvolutionGeometry& g, InstructionSet set)
      : onednn_(onednn),
        g_(g),
        set_(set),
        forward_(set, g.input, g.output(), g.pad),
        data_(set, g.output(), g.input, {2 - g.pad[0], 2 - g.pad[1]}),
        kernel_(set, g) {}

  int64_t packed_bytes(Direction direction) const override { return matrices(direction).bytes(); }
  int packed_layout(Direction direction) const override {
    return onednn_.layout(direction == kForward ? "winograd" : "winograd of the data gradient",
                          stored(g_.kernel));
  }
  void pack(Direction direction, const float* kernel, void* packed) override {
    onednn_.count_launch();
    (direction == kForward ? pack_forward : pack_backward)(
        set_, kernel, g_.kernel[0], g_.kernel[1], matrices(direction), static_cast<float*>(packed));
  }

  int64_t forward_workspace() const override { return forward_.workspace(); }
  int64_t backward_data_workspace() const override { return data_.workspace(); }
  int64_t backward_kernel_workspace() const override { return kernel_.workspace(); }

  void forward(const void* x, const void* packed, const float* bias, void* y,
               void* workspace) override {
    onednn_.count_launch();
    forward_.run(static_cast<const float*>(x), static_cast<const float*>(packed),
                 static_cast<float*>(y), {bias, g_.relu}, workspace);
  }
  void backward_data(const void* dy, const void* packed, void* dx, void* workspace) override {
    onednn_.count_launch();
    data_.run(static_cast<const float*>(dy), static_cast<const float*>(packed),
              static_cast<float*>(dx), {nullptr, false}, workspace);
  }
  void backward_kernel(const void* x, const void* dy, float* dkernel, bool accumulate,
                       void* workspace) override {
    onednn_.count_launch();
    kernel_.run(static_cast<const float*>(x), static_cast<const float*>(dy), dkernel, accumulate,
                workspace);
  }
  std::string algorithm() const override { return "winograd"; }

 private:
  const Matrices& matrices(Direction direction) const {
    return (direction == kForward ? forward_ : data_).kernel();
  }
  OneDnn& onednn_;
  ConvolutionGeometry g_;
  InstructionSet set_;
  Correlation forward_, data_;
  KernelGradient kernel_;
};

}  // namespace

// It needs enough tiles to pay for transforming the kernel, and enough channels to pay for
// transforming the tiles; the bounds are measured (docs/performance.md, "Convolution algorithms").
bool is_winograd(const ConvolutionGeometry& g, Algorithm algorithm) {
  const bool possible = g.type == DType::kFloat32 && g.kernel[2] == 3 && g.kernel[3] == 3 &&
                        g.stride == Pair{1, 1} && g.dilation == Pair{1, 1} && g.groups == 1 &&
                        g.pad[0] <= 2 && g.pad[1] <= 2;
  const Shape y = g.output();
  const int64_t tiles = y[0] * ((y[2] + 3) / 4) * ((y[3] + 3) / 4);
  const bool faster = instruction_set() != InstructionSet::kBaseline &&
                      std::min(g.input[1], g.kernel[0]) >= 32 && tiles >= 32;
  return algorithm == Algorithm::kAuto && possible && faster;
}

std::unique_ptr<ConvolutionPlan> make_winograd(OneDnn& onednn, const ConvolutionGeometry& geometry,
                                               InstructionSet set) {
  return std::make_unique<Winograd>(onednn, geometry, set);
}

}  // namespace orepa::cpu
