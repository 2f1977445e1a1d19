// The transforms of Winograd's minimal filtering (Lavin and Gray, CVPR 2016):
//
//   forward           y  = A' [ (G g G') . (B' x B) ] A          summed over input channels
//   data gradient     the same of dy, with the kernel rotated and its channels exchanged
//   kernel gradient   dg = G' [ (A dy A') . (B' x B) ] G         summed over tiles
//
// M(p) is the nodal polynomial of the points; A holds powers of them, G the same times 1 / M' at
// them. Only src/backend/cpu includes this.
#pragma once
#include <array>

#include "backend/cpu/winograd_panels.h"

namespace orepa::cpu::winograd {

// `first`, and its products with the powers of `ratio`.
template <int n>
constexpr std::array<float, n> geometric(double first, double ratio) {
  std::array<float, n> numbers{};
  for (float& number : numbers) {
    number = static_cast<float>(first);
    first *= ratio;
  }
  return numbers;
}

// Tiles of 6 x 6, at the points 0, +-a, +-b and infinity: a = 1 / sqrt(2), b = sqrt(2), whose
// errors against double are about 3e-6 of the maximum (the textbook's 1 and 2: 1.5e-5).
// M(p) = p (p^2 - a^2) (p^2 - b^2).
struct SixPoints {
  static constexpr double kA = 0.70710678118654752440, kB = 1.41421356237309504880;

  struct Input {  // B'
    static constexpr int kIn = 6, kOut = 6;
    static constexpr float kA1 = kA, kA2 = kA * kA, kB1 = kB, kB2 = kB * kB;
    static constexpr float kProduct = kA * kA * kB * kB, kSum = kA * kA + kB * kB;
    static void apply(const Panel* d, Panel* r) {
      const Panel u = d[4] - kB2 * d[2], v = kA1 * (d[3] - kB2 * d[1]);
      const Panel s = d[4] - kA2 * d[2], t = kB1 * (d[3] - kA2 * d[1]);
      r[0] = kProduct * d[0] - kSum * d[2] + d[4];
      r[1] = u + v;
      r[2] = u - v;
      r[3] = s + t;
      r[4] = s - t;
      r[5] = kProduct * d[1] - kSum * d[3] + d[5];
    }
  };

  // What the powers of 0, a and b are multiplied by.
  struct One {
    static constexpr double kOf0 = 1, kOfA = 1, kOfB = 1;
  };
  struct OverDerivative {  // 1 / M'
    static constexpr double kOf0 = 1 / (kA * kA * kB * kB);
    static constexpr double kOfA = 1 / (2 * kA * kA * (kA * kA - kB * kB));
    static constexpr double kOfB = 1 / (2 * kB * kB * (kB * kB - kA * kA));
  };

  // From n coefficients of a polynomial to its values.
  template <int n, class Factor>
  struct Values {
    static constexpr int kIn = n, kOut = 6;
    static constexpr float k0 = Factor::kOf0;
    static constexpr auto a = geometric<n>(Factor::kOfA, kA), b = geometric<n>(Factor::kOfB, kB);
    static void apply(const Panel* g, Panel* r) {
      Panel even_a = a[0] * g[0], odd_a = a[1] * g[1], even_b = b[0] * g[0], odd_b = b[1] * g[1];
#pragma GCC unroll 6
      for (int k = 2; k < n; ++k) {
        (k % 2 == 0 ? even_a : odd_a) += a[k] * g[k];
        (k % 2 == 0 ? even_b : odd_b) += b[k] * g[k];
      }
      r[0] = k0 * g[0];
      r[1] = even_a + odd_a;
      r[2] = even_a - odd_a;
      r[3] = even_b + odd_b;
      r[4] = even_b - odd_b;
      r[5] = g[n - 1];
    }
  };
  // The transpose of Values.
  template <int n, class Factor>
  struct Sums {
    static constexpr int kIn = 6, kOut = n;
    static constexpr float k0 = Factor::kOf0;
    static constexpr auto a = geometric<n>(Factor::kOfA, kA), b = geometric<n>(Factor::kOfB, kB);
    static void apply(const Panel* m, Panel* y) {
      const Panel p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
      y[0] = k0 * m[0] + a[0] * p + b[0] * r;
#pragma GCC unroll 6
      for (int k = 1; k < n; ++k) y[k] = a[k] * (k % 2 == 0 ? p : q) + b[k] * (k % 2 == 0 ? r : s);
      y[n - 1] += m[5];
    }
  };
};

// A filter: Element is the type of images, of the matrices that are multiplied, and of packed
// kernels; products are float32. This one is F(kOutputs x kOutputs, kTaps x kTaps): 36 products for
// kOutputs^2 outputs.
template <int kOutputs, int kTaps>
struct OfSixPoints {
  static_assert(kOutputs + kTaps - 1 == 6);
  using Element = float;
  static constexpr int kTile = kOutputs, kKernel = kTaps;  // along a side

  using Input = SixPoints::Input;
  using Output = SixPoints::Sums<kOutputs, SixPoints::One>;                  // A'
  using Gradient = SixPoints::Values<kOutputs, SixPoints::One>;              // A
  using Kernel = SixPoints::Values<kTaps, SixPoints::OverDerivative>;        // G
  using KernelGradient = SixPoints::Sums<kTaps, SixPoints::OverDerivative>;  // G'
};
using F4x3 = OfSixPoints<4, 3>;
using F2x5 = OfSixPoints<2, 5>;

// F(2 x 2, 3 x 3): 16 products for 4 outputs, at the points 0, +-1 and infinity. Its transforms
// only add and halve, so that what they give may be rounded to bfloat16: the error of a convolution
// of such numbers is 3.5e-3 of its standard deviation, where the direct one has 1.7e-3 and F(4 x 4,
// 3 x 3) would have 1.1e-2.
struct F2x3 {
  using Element = BFloat16;
  static constexpr int kTile = 2, kKernel = 3;

  struct Input {  // B'
    static constexpr int kIn = 4, kOut = 4;
    static void apply(const Panel* d, Panel* r) {
      r[0] = d[0] - d[2];
      r[1] = d[1] + d[2];
      r[2] = d[2] - d[1];
      r[3] = d[1] - d[3];
    }
  };
  struct Output {  // A'
    static constexpr int kIn = 4, kOut = 2;
    static void apply(const Panel* m, Panel* y) {
      y[0] = m[0] + m[1] + m[2];
      y[1] = m[1] - m[2] - m[3];
    }
  };
  struct Gradient {  // A
    static constexpr int kIn = 2, kOut = 4;
    static void apply(const Panel* g, Panel* r) {
      r[0] = g[0];
      r[1] = g[0] + g[1];
      r[2] = g[0] - g[1];
      r[3] = -g[1];
    }
  };
  struct Kernel {  // G
    static constexpr int kIn = 3, kOut = 4;
    static void apply(const Panel* g, Panel* r) {
      const Panel even = 0.5f * (g[0] + g[2]), odd = 0.5f * g[1];
      r[0] = g[0];
      r[1] = even + odd;
      r[2] = even - odd;
      r[3] = g[2];
    }
  };
  struct KernelGradient {  // G'
    static constexpr int kIn = 4, kOut = 3;
    static void apply(const Panel* m, Panel* w) {
      const Panel even = 0.5f * (m[1] + m[2]), odd = 0.5f * (m[1] - m[2]);
      w[0] = m[0] + even;
      w[1] = odd;
      w[2] = even + m[3];
    }
  };
};

// The products of a tile.
template <class Filter>
constexpr int64_t kProducts = (Filter::kTile + Filter::kKernel - 1) *
                              (Filter::kTile + Filter::kKernel - 1);

// A panel of kIn x kIn places to kOut x kOut ones: rows, then columns. source(k, panel) reads place
// k, sink(k, panel) takes a result.
template <class T, class Source, class Sink>
inline __attribute__((always_inline)) void transform(Source source, Sink sink) {
  Panel half[T::kOut][T::kIn];
#pragma GCC unroll 6
  for (int j = 0; j < T::kIn; ++j) {
    Panel in[T::kIn], out[T::kOut];
#pragma GCC unroll 6
    for (int i = 0; i < T::kIn; ++i) source(i * T::kIn + j, in[i]);
    T::apply(in, out);
#pragma GCC unroll 6
    for (int i = 0; i < T::kOut; ++i) half[i][j] = out[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < T::kOut; ++i) {
    Panel out[T::kOut];
    T::apply(half[i], out);
#pragma GCC unroll 6
    for (int j = 0; j < T::kOut; ++j) sink(i * T::kOut + j, out[j]);
  }
}

}  // namespace orepa::cpu::winograd
