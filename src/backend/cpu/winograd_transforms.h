// The transforms of Winograd's minimal filtering F(4 x 4, 3 x 3) (Lavin and Gray, CVPR 2016):
//
//   forward           y  = A' [ (G g G') . (B' x B) ] A          summed over input channels
//   data gradient     the same of dy, with the kernel rotated and its channels exchanged
//   kernel gradient   dg = G' [ (A dy A') . (B' x B) ] G         summed over tiles
//
// at the points 0, +-a, +-b and infinity, a = 1 / sqrt(2), b = sqrt(2), whose errors against double
// are about 3e-6 of the maximum (the textbook's 1 and 2: 1.5e-5). M(p) = p (p^2 - a^2) (p^2 - b^2)
// is the nodal polynomial; G holds 1 / M' at the points. Only src/backend/cpu includes this.
//
// Channels go in panels of 16, a cache line: each transform is a loop over 16 lanes, which the
// compiler vectorises for any instruction set.
#pragma once
#include <cstdint>

namespace orepa::cpu::winograd {

constexpr int kPanel = 16;

constexpr double kA = 0.70710678118654752440, kB = 1.41421356237309504880;
constexpr float kA1 = kA, kA2 = kA * kA, kA3 = kA * kA * kA;
constexpr float kB1 = kB, kB2 = kB * kB, kB3 = kB * kB * kB;
constexpr float kProduct = kA * kA * kB * kB, kSum = kA * kA + kB * kB;
constexpr double kOfA = 1 / (2 * kA * kA * (kA * kA - kB * kB));  // 1 / M'(a)
constexpr double kOfB = 1 / (2 * kB * kB * (kB * kB - kA * kA));
constexpr float kN0 = 1 / (kA * kA * kB * kB);
constexpr float kNa = kOfA, kNa1 = kOfA * kA, kNa2 = kOfA * kA * kA;
constexpr float kNb = kOfB, kNb1 = kOfB * kB, kNb2 = kOfB * kB * kB;

struct InputTransform {  // B'
  static constexpr int kIn = 6, kOut = 6;
  static void apply(const float* d, float* r) {
    const float u = d[4] - kB2 * d[2], v = kA1 * (d[3] - kB2 * d[1]);
    const float s = d[4] - kA2 * d[2], t = kB1 * (d[3] - kA2 * d[1]);
    r[0] = kProduct * d[0] - kSum * d[2] + d[4];
    r[1] = u + v;
    r[2] = u - v;
    r[3] = s + t;
    r[4] = s - t;
    r[5] = kProduct * d[1] - kSum * d[3] + d[5];
  }
};
struct OutputTransform {  // A'
  static constexpr int kIn = 6, kOut = 4;
  static void apply(const float* m, float* y) {
    const float p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
    y[0] = m[0] + p + r;
    y[1] = kA1 * q + kB1 * s;
    y[2] = kA2 * p + kB2 * r;
    y[3] = kA3 * q + kB3 * s + m[5];
  }
};
struct GradientTransform {  // A
  static constexpr int kIn = 4, kOut = 6;
  static void apply(const float* g, float* r) {
    const float ea = g[0] + kA2 * g[2], oa = kA1 * g[1] + kA3 * g[3];
    const float eb = g[0] + kB2 * g[2], ob = kB1 * g[1] + kB3 * g[3];
    r[0] = g[0];
    r[1] = ea + oa;
    r[2] = ea - oa;
    r[3] = eb + ob;
    r[4] = eb - ob;
    r[5] = g[3];
  }
};
struct KernelTransform {  // G
  static constexpr int kIn = 3, kOut = 6;
  static void apply(const float* g, float* r) {
    const float ea = kNa * g[0] + kNa2 * g[2], oa = kNa1 * g[1];
    const float eb = kNb * g[0] + kNb2 * g[2], ob = kNb1 * g[1];
    r[0] = kN0 * g[0];
    r[1] = ea + oa;
    r[2] = ea - oa;
    r[3] = eb + ob;
    r[4] = eb - ob;
    r[5] = g[2];
  }
};
struct KernelGradientTransform {  // G'
  static constexpr int kIn = 6, kOut = 3;
  static void apply(const float* m, float* w) {
    const float p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
    w[0] = kN0 * m[0] + kNa * p + kNb * r;
    w[1] = kNa1 * q + kNb1 * s;
    w[2] = kNa2 * p + kNb2 * r + m[5];
  }
};

// A panel of kIn x kIn places, where source(k) points for place k, to kOut x kOut ones: rows, then
// columns. store(k, lane, value) takes the results. The panel has `lanes` channels; where they are
// not kPanel, sources are read so far only, and lanes beyond give zeros or what zeros give.
template <class T, class Source, class Store>
inline __attribute__((always_inline)) void transform(int64_t lanes, Source source, Store store) {
  alignas(64) float half[T::kOut][T::kIn][kPanel];
#pragma GCC unroll 6
  for (int j = 0; j < T::kIn; ++j) {
    const float* from[T::kIn];
    alignas(64) float copies[T::kIn][kPanel];
    for (int i = 0; i < T::kIn; ++i) {
      from[i] = source(i * T::kIn + j);
      if (lanes == kPanel) continue;
      for (int l = 0; l < kPanel; ++l) copies[i][l] = l < lanes ? from[i][l] : 0;
      from[i] = copies[i];
    }
#pragma omp simd
    for (int l = 0; l < kPanel; ++l) {
      float d[T::kIn], r[T::kOut];
      for (int i = 0; i < T::kIn; ++i) d[i] = from[i][l];
      T::apply(d, r);
      for (int i = 0; i < T::kOut; ++i) half[i][j][l] = r[i];
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < T::kOut; ++i) {
    alignas(64) float results[T::kOut][kPanel];
#pragma omp simd
    for (int l = 0; l < kPanel; ++l) {
      float d[T::kIn], r[T::kOut];
      for (int j = 0; j < T::kIn; ++j) d[j] = half[i][j][l];
      T::apply(d, r);
      for (int j = 0; j < T::kOut; ++j) results[j][l] = r[j];
    }
    for (int j = 0; j < T::kOut; ++j) store(i * T::kOut + j, results[j]);
  }
}

}  // namespace orepa::cpu::winograd
