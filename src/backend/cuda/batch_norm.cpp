// Batch normalisation as kernels of our own. cuDNN's gives the inverse deviation where the contract
// wants the variance, adds up a channel in single precision, and forgets which ReLU was open.
//
// Sums of up to 64 numbers are in float, sums of these in double, as on the CPU.
#include <cmath>

#include "backend/cuda/plans.h"
#include "backend/numbers_of.h"
#include "backend/pieces.h"
#include "orepa/parallel.h"

namespace orepa::cuda {
namespace {

constexpr int64_t kRowsOfPiece = 64;

// Channels are columns. At rank 2 and 4 they are innermost; at any other, `inner` numbers of a
// sample's channel follow one another.
struct Layout {
  int64_t rows, channels, inner;

  explicit Layout(const Shape& shape)
      : rows(shape.count() / shape[1]),
        channels(shape[1]),
        inner(shape.rank() == 2 || shape.rank() == 4 ? 1 : shape.count(2, shape.rank())) {}
  OREPA_HD int64_t at(int64_t row, int64_t c) const {
    return inner == 1 ? row * channels + c : (row / inner * channels + c) * inner + row % inner;
  }

  int64_t pieces() const { return (rows + kRowsOfPiece - 1) / kRowsOfPiece; }
  OREPA_HD int64_t begin(int64_t piece) const { return piece * kRowsOfPiece; }
  OREPA_HD int64_t end(int64_t piece) const {
    const int64_t end = (piece + 1) * kRowsOfPiece;
    return end < rows ? end : rows;
  }
  int64_t bytes_of_pieces() const { return pieces() * channels * int64_t{sizeof(float)}; }
  int64_t bytes_of_channels() const { return channels * int64_t{sizeof(float)}; }
};

// Of every piece and channel: mean and sum of squared deviations, from deviations from its first
// number. So x is read once. (The pieces that a device takes at a time would not fit into its
// cache.) The first number is one of the piece: the squares of deviations from it add up to at most
// 65 times those from the mean, and to about twice as a rule.
struct Moments {
  Layout layout;
  Numbers x;
  float *mean, *squares;
  OREPA_HD void operator()(int64_t piece, int64_t c) const {
    const int64_t begin = layout.begin(piece), end = layout.end(piece);
    const float first = x[layout.at(begin, c)];
    float sum = 0, sum_of_squares = 0;
    for (int64_t r = begin + 1; r < end; ++r) {
      const float deviation = x[layout.at(r, c)] - first;
      sum += deviation;
      sum_of_squares += deviation * deviation;
    }
    const float shift = sum / static_cast<float>(end - begin);
    mean[piece * layout.channels + c] = first + shift;
    squares[piece * layout.channels + c] = sum_of_squares - sum * shift;
  }
};

// What a piece adds to the mean of its channel.
struct MeanOfPiece {
  Layout layout;
  const float* mean;
  OREPA_HD double operator()(int64_t c, int64_t piece) const {
    const auto count = static_cast<double>(layout.end(piece) - layout.begin(piece));
    return mean[piece * layout.channels + c] * (count / static_cast<double>(layout.rows));
  }
};

// And to the variance (Chan, Golub and LeVeque 1983).
struct VarianceOfPiece {
  Layout layout;
  const float *mean, *squares, *whole_mean;
  OREPA_HD double operator()(int64_t c, int64_t piece) const {
    const auto count = static_cast<double>(layout.end(piece) - layout.begin(piece));
    const double delta = double{mean[piece * layout.channels + c]} - whole_mean[c];
    return (squares[piece * layout.channels + c] + count * delta * delta) /
           static_cast<double>(layout.rows);
  }
};

// 1 / deviation of each channel, and what a number is multiplied by.
struct Factors {
  const float *scale, *variance;
  float eps;
  float *inverse, *factor;
  OREPA_HD void operator()(int64_t c) const {
    inverse[c] = 1 / sqrtf(variance[c] + eps);
    factor[c] = scale[c] * inverse[c];
  }
};

// y before ReLU. Both passes compute it, so that backward() knows what was open: rounded once, on
// purpose, or compilers might round it differently here and there.
OREPA_HD inline float normalized(float x, float mean, float factor, float shift) {
  return fmaf(x - mean, factor, shift);
}

struct Normalize {
  Layout layout;
  Numbers x, y;
  const float *mean, *factor, *shift;
  bool relu;
  OREPA_HD void operator()(int64_t row, int64_t c) const {
    const int64_t i = layout.at(row, c);
    const float value = normalized(x[i], mean[c], factor[c], shift[c]);
    y.set(i, relu && value < 0 ? 0 : value);
  }
};

// The gradient of y before ReLU.
struct OpenGradient {
  Layout layout;
  Numbers x, dy;
  const float *mean, *factor, *shift;  // shift is null without ReLU
  OREPA_HD float operator()(int64_t i, int64_t c) const {
    if (shift && normalized(x[i], mean[c], factor[c], shift[c]) <= 0) return 0;
    return dy[i];
  }
};

// Of every piece and channel: the sums of gradients, and of their products with deviations of x.
struct GradientSums {
  OpenGradient gradient;
  float *sum, *products;
  OREPA_HD void operator()(int64_t piece, int64_t c) const {
    const Layout& layout = gradient.layout;
    const float mean = gradient.mean[c];
    float total = 0, total_of_products = 0;
    for (int64_t r = layout.begin(piece); r < layout.end(piece); ++r) {
      const int64_t i = layout.at(r, c);
      const float g = gradient(i, c);
      total += g;
      total_of_products += g * (gradient.x[i] - mean);
    }
    sum[piece * layout.channels + c] = total;
    products[piece * layout.channels + c] = total_of_products;
  }
};

struct Scaled {
  int64_t channels;
  const float *pieces, *factor;
  OREPA_HD double operator()(int64_t c, int64_t piece) const {
    return double{pieces[piece * channels + c]} * factor[c];
  }
};

struct InputGradient {
  OpenGradient gradient;
  Numbers dx;
  const float *inverse, *dscale, *dshift;
  OREPA_HD void operator()(int64_t row, int64_t c) const {
    const Layout& layout = gradient.layout;
    const int64_t i = layout.at(row, c);
    const float normal = (gradient.x[i] - gradient.mean[c]) * inverse[c];
    const float common = (dshift[c] + normal * dscale[c]) / static_cast<float>(layout.rows);
    dx.set(i, gradient.factor[c] * (gradient(i, c) - common));
  }
};

class BatchNorm : public BatchNormPlan {
 public:
  BatchNorm(Device& device, const BatchNormGeometry& g)
      : device_(device), g_(g), layout_(g.shape) {}

  // The shift, from which and from x it is known which ReLU was open.
  int64_t saved_bytes() const override {
    return g_.training && g_.relu ? layout_.bytes_of_channels() : 0;
  }
  int64_t forward_workspace() const override {
    Pieces pieces(nullptr);
    return (g_.training ? Forward(layout_, pieces).used : OfChannels(layout_, pieces).used);
  }
  int64_t backward_workspace() const override {
    Pieces pieces(nullptr);
    return Backward(layout_, pieces).used;
  }

  void forward(const void* x, const float* scale, const float* shift, void* y, float* mean,
               float* variance, void* saved, void* workspace) override {
    Pieces pieces(workspace);
    const Forward parts(layout_, pieces);
    const int64_t channels = layout_.channels, count = layout_.pieces();
    parallel_rows(device_, count, channels,
                  Moments{layout_, numbers(x), parts.mean, parts.squares});
    reduce_rows(device_, channels, count, MeanOfPiece{layout_, parts.mean}, mean);
    reduce_rows(device_, channels, count, VarianceOfPiece{layout_, parts.mean, parts.squares, mean},
                variance);
    normalize(x, scale, shift, mean, variance, y, parts.factors);
    if (g_.relu) device_.copy(saved, shift, layout_.bytes_of_channels());
  }

  void normalize(const void* x, const float* scale, const float* shift, const float* mean,
                 const float* variance, void* y, void* workspace) override {
    Pieces pieces(workspace);
    normalize(x, scale, shift, mean, variance, y, OfChannels(layout_, pieces));
  }

  void backward(const void* x, const void* dy, const float* scale, const float* mean,
                const float* variance, const void* saved, void* dx, float* dscale, float* dshift,
                void* workspace) override {
    Pieces pieces(workspace);
    const Backward parts(layout_, pieces);
    const OfChannels& factors = parts.factors;
    const int64_t channels = layout_.channels, count = layout_.pieces();
    if (dscale == nullptr) dscale = parts.dscale;
    if (dshift == nullptr) dshift = parts.dshift;
    parallel_for(device_, channels,
                 Factors{scale, variance, g_.eps, factors.inverse, factors.factor});
    const OpenGradient gradient{
        layout_, numbers(x),     numbers(dy),
        mean,    factors.factor, g_.relu ? static_cast<const float*>(saved) : nullptr};
    parallel_rows(device_, count, channels, GradientSums{gradient, parts.sum, parts.products});
    reduce_rows(device_, channels, count, parallel::PieceOfColumn{parts.sum, channels}, dshift);
    reduce_rows(device_, channels, count, Scaled{channels, parts.products, factors.inverse},
                dscale);
    parallel_rows(device_, layout_.rows, channels,
                  InputGradient{gradient, numbers(dx), factors.inverse, dscale, dshift});
  }

 private:
  // What is in the workspaces.
  struct OfChannels {
    float *inverse, *factor;
    int64_t used;
    OfChannels(const Layout& layout, Pieces& pieces)
        : inverse(take(pieces, layout.bytes_of_channels())),
          factor(take(pieces, layout.bytes_of_channels())),
          used(pieces.used()) {}
  };
  struct Forward {
    OfChannels factors;
    float *mean, *squares;  // of pieces
    int64_t used;
    Forward(const Layout& layout, Pieces& pieces)
        : factors(layout, pieces),
          mean(take(pieces, layout.bytes_of_pieces())),
          squares(take(pieces, layout.bytes_of_pieces())),
          used(pieces.used()) {}
  };
  struct Backward {
    OfChannels factors;
    float *dscale, *dshift;  // where nobody wants them
    float *sum, *products;   // of pieces
    int64_t used;
    Backward(const Layout& layout, Pieces& pieces)
        : factors(layout, pieces),
          dscale(take(pieces, layout.bytes_of_channels())),
          dshift(take(pieces, layout.bytes_of_channels())),
          sum(take(pieces, layout.bytes_of_pieces())),
          products(take(pieces, layout.bytes_of_pieces())),
          used(pieces.used()) {}
  };
  static float* take(Pieces& pieces, int64_t bytes) {
    return static_cast<float*>(pieces.take(bytes));
  }

  void normalize(const void* x, const float* scale, const float* shift, const float* mean,
                 const float* variance, void* y, const OfChannels& factors) {
    parallel_for(device_, layout_.channels,
                 Factors{scale, variance, g_.eps, factors.inverse, factors.factor});
    parallel_rows(device_, layout_.rows, layout_.channels,
                  Normalize{layout_, numbers(x), numbers(y), mean, factors.factor, shift, g_.relu});
  }
  Numbers numbers(const void* data) const { return numbers_of(data, g_.type); }

  Device& device_;
  BatchNormGeometry g_;
  Layout layout_;
};

}  // namespace

std::unique_ptr<BatchNormPlan> make_batch_norm(Device& device, const BatchNormGeometry& geometry) {
  return std::make_unique<BatchNorm>(device, geometry);
}

}  // namespace orepa::cuda
