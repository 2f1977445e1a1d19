// The transforms of Winograd's minimal filtering (Lavin and Gray, CVPR 2016):
//
//   forward           y  = A' [ (G g G') . (B' x B) ] A          summed over input channels
//   data gradient     the same of dy, with the kernel rotated and its channels exchanged
//   kernel gradient   dg = G' [ (A dy A') . (B' x B) ] G         summed over tiles
//
// M(p) is the nodal polynomial of the points; G holds 1 / M' at them. Only src/backend/cpu includes
// this.
//
// Channels go in panels of 16, a cache line, which are vectors of the compiler's: it makes of each
// operation what the instruction set has.
#pragma once
#include <cstdint>
#include <cstring>

#include "orepa/numbers.h"

namespace orepa::cpu::winograd {

constexpr int kPanel = 16;
using Panel = float __attribute__((vector_size(kPanel * sizeof(float))));

// F(4 x 4, 3 x 3): 36 products for 16 outputs, at the points 0, +-a, +-b and infinity, a = 1 /
// sqrt(2), b = sqrt(2), whose errors against double are about 3e-6 of the maximum (the textbook's 1
// and 2: 1.5e-5). M(p) = p (p^2 - a^2) (p^2 - b^2).
struct F4 {
  static constexpr int kTile = 4;  // outputs along a side
  static constexpr double kA = 0.70710678118654752440, kB = 1.41421356237309504880;
  static constexpr float kA1 = kA, kA2 = kA * kA, kA3 = kA * kA * kA;
  static constexpr float kB1 = kB, kB2 = kB * kB, kB3 = kB * kB * kB;
  static constexpr float kProduct = kA * kA * kB * kB, kSum = kA * kA + kB * kB;
  static constexpr double kOfA = 1 / (2 * kA * kA * (kA * kA - kB * kB));  // 1 / M'(a)
  static constexpr double kOfB = 1 / (2 * kB * kB * (kB * kB - kA * kA));
  static constexpr float kN0 = 1 / (kA * kA * kB * kB);
  static constexpr float kNa = kOfA, kNa1 = kOfA * kA, kNa2 = kOfA * kA * kA;
  static constexpr float kNb = kOfB, kNb1 = kOfB * kB, kNb2 = kOfB * kB * kB;

  struct Input {  // B'
    static constexpr int kIn = 6, kOut = 6;
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
  struct Output {  // A'
    static constexpr int kIn = 6, kOut = 4;
    static void apply(const Panel* m, Panel* y) {
      const Panel p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
      y[0] = m[0] + p + r;
      y[1] = kA1 * q + kB1 * s;
      y[2] = kA2 * p + kB2 * r;
      y[3] = kA3 * q + kB3 * s + m[5];
    }
  };
  struct Gradient {  // A
    static constexpr int kIn = 4, kOut = 6;
    static void apply(const Panel* g, Panel* r) {
      const Panel ea = g[0] + kA2 * g[2], oa = kA1 * g[1] + kA3 * g[3];
      const Panel eb = g[0] + kB2 * g[2], ob = kB1 * g[1] + kB3 * g[3];
      r[0] = g[0];
      r[1] = ea + oa;
      r[2] = ea - oa;
      r[3] = eb + ob;
      r[4] = eb - ob;
      r[5] = g[3];
    }
  };
  struct Kernel {  // G
    static constexpr int kIn = 3, kOut = 6;
    static void apply(const Panel* g, Panel* r) {
      const Panel ea = kNa * g[0] + kNa2 * g[2], oa = kNa1 * g[1];
      const Panel eb = kNb * g[0] + kNb2 * g[2], ob = kNb1 * g[1];
      r[0] = kN0 * g[0];
      r[1] = ea + oa;
      r[2] = ea - oa;
      r[3] = eb + ob;
      r[4] = eb - ob;
      r[5] = g[2];
    }
  };
  struct KernelGradient {  // G'
    static constexpr int kIn = 6, kOut = 3;
    static void apply(const Panel* m, Panel* w) {
      const Panel p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
      w[0] = kN0 * m[0] + kNa * p + kNb * r;
      w[1] = kNa1 * q + kNb1 * s;
      w[2] = kNa2 * p + kNb2 * r + m[5];
    }
  };
};

// F(2 x 2, 3 x 3): 16 products for 4 outputs, at the points 0, +-1 and infinity. Its transforms
// only add and halve, so that what they give may be rounded to bfloat16: the error of a convolution
// of such numbers is 3.5e-3 of its standard deviation, where the direct one has 1.7e-3 and F(4 x 4,
// 3 x 3) would have 1.1e-2.
struct F2 {
  static constexpr int kTile = 2;

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

using NarrowPanel = uint16_t __attribute__((vector_size(kPanel * sizeof(uint16_t))));
using BitsOfPanel = uint32_t __attribute__((vector_size(sizeof(Panel))));

// The first `lanes` of a panel, and zeros behind them. (An argument, since how a vector is returned
// depends on the instruction set.)
inline void load(const float* from, int64_t lanes, Panel& panel) {
  if (lanes == kPanel) {
    std::memcpy(&panel, from, sizeof panel);
  } else {
    panel = Panel{};
    std::memcpy(&panel, from, static_cast<size_t>(lanes) * sizeof(float));
  }
}
inline void load(const BFloat16* from, int64_t lanes, Panel& panel) {
  NarrowPanel narrow{};
  if (lanes == kPanel)
    std::memcpy(&narrow, from, sizeof narrow);
  else
    std::memcpy(&narrow, from, static_cast<size_t>(lanes) * sizeof(uint16_t));
  panel = reinterpret_cast<Panel>(__builtin_convertvector(narrow, BitsOfPanel) << 16);
}

inline void store(const Panel& panel, int64_t lanes, float* to) {
  if (lanes == kPanel)
    std::memcpy(to, &panel, sizeof panel);
  else
    std::memcpy(to, &panel, static_cast<size_t>(lanes) * sizeof(float));
}
// Rounds as BFloat16::of().
inline void store(const Panel& panel, int64_t lanes, BFloat16* to) {
  const BitsOfPanel whole = reinterpret_cast<BitsOfPanel>(panel);
  const BitsOfPanel rounded = whole + 0x7fff + (whole >> 16 & 1);
  const BitsOfPanel kept = panel == panel ? rounded : whole | 0x400000;  // NaN stays one
  const NarrowPanel narrow = __builtin_convertvector(kept >> 16, NarrowPanel);
  if (lanes == kPanel)
    std::memcpy(to, &narrow, sizeof narrow);
  else
    std::memcpy(to, &narrow, static_cast<size_t>(lanes) * sizeof(uint16_t));
}

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
