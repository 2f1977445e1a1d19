// Exponentials and logarithms as plain arithmetic, of which loops can be vectorised; those of the C
// library are calls. Within 3 units in the last place (tests/layers/exponential_test.cpp), with
// infinities and NaN as the library has them. The polynomials are those of Cephes' expf and logf
// (Moshier, public domain).
#pragma once
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "orepa/parallel.h"

namespace orepa {

OREPA_HD inline float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
OREPA_HD inline uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

// exp(x) as 2^power (1 + slope + curve), with a slope between -0.35 and 0.35.
struct PowerOfTwo {
  int32_t power;
  float slope, curve;
  // REQUIRES: |x| below 2^20; of NaN, both are NaN.
  OREPA_HD explicit PowerOfTwo(float x) {
    constexpr float kRound = 12582912.0f;  // 2^23 + 2^22: what is added to it becomes whole
    const float rounded = x * 1.44269504f + kRound;
    power = static_cast<int32_t>(bits_of(rounded) - 0x4b400000u);
    const float whole = rounded - kRound;
    const float r = x - whole * 0.693359375f + whole * 2.12194440e-4f;
    slope = r;
    float sum = 1.9875691500e-4f;
    sum = sum * r + 1.3981999507e-3f;
    sum = sum * r + 8.3334519073e-3f;
    sum = sum * r + 4.1665795894e-2f;
    sum = sum * r + 1.6666665459e-1f;
    sum = sum * r + 5.0000001201e-1f;
    curve = sum * r * r;
  }
  // REQUIRES: -126 <= power <= 127.
  OREPA_HD static float of(int32_t power) {
    return float_of((static_cast<uint32_t>(power) + 127) << 23);
  }
};

OREPA_HD inline float exponential(float x) {
  const float below = x > 89.0f ? 89.0f : x;  // from there on it is infinite, below -104 it is 0
  const PowerOfTwo parts(below < -104.0f ? -104.0f : below);
  const int32_t half = parts.power >> 1;  // 2^power itself may be no float
  const float line = 1 + parts.slope, lost = parts.slope - (line - 1);
  return (line + (lost + parts.curve)) * PowerOfTwo::of(half) * PowerOfTwo::of(parts.power - half);
}

// exp(x) - 1 of an x <= 0, without loss where x is small.
OREPA_HD inline float exponential_less_one(float x) {
  const PowerOfTwo parts(x < -40.0f ? -40.0f : x);
  const float power = PowerOfTwo::of(parts.power);
  return power * (parts.slope + parts.curve) + (power - 1);
}

// 1 / (1 + exp(-x))
OREPA_HD inline float logistic(float x) { return 1 / (1 + exponential(-x)); }

OREPA_HD inline float hyperbolic_tangent(float x) {
  const float less = exponential_less_one(-2 * fabsf(x));
  const float positive = -less / (2 + less);
  return x < 0 ? -positive : positive;
}

OREPA_HD inline float logarithm(float x) {
  const bool tiny = x < FLT_MIN;
  const uint32_t bits = bits_of(tiny ? x * 8388608.0f : x);
  const float m = float_of((bits & 0x7fffffu) | 0x3f000000u);  // from 1/2 on, below 1
  const bool low = m < 0.707106781f;
  const float whole = static_cast<float>(static_cast<int32_t>(bits >> 23) - 126) -
                      (tiny ? 23.0f : 0.0f) - (low ? 1.0f : 0.0f);
  const float r = (low ? m + m : m) - 1;
  float sum = 7.0376836292e-2f;
  sum = sum * r - 1.1514610310e-1f;
  sum = sum * r + 1.1676998740e-1f;
  sum = sum * r - 1.2420140846e-1f;
  sum = sum * r + 1.4249322787e-1f;
  sum = sum * r - 1.6668057665e-1f;
  sum = sum * r + 2.0000714765e-1f;
  sum = sum * r - 2.4999993993e-1f;
  sum = sum * r + 3.3333331174e-1f;
  const float square = r * r;
  const float curved = sum * r * square - whole * 2.12194440e-4f - 0.5f * square;
  const float value = r + curved + whole * 0.693359375f;
  const float finite = x > 0 ? value : (x == 0 ? -INFINITY : NAN);
  return x <= FLT_MAX ? finite : x;  // infinity and NaN are their own
}

// log(1 + x) of an x from 0 to 1, without loss where x is small.
OREPA_HD inline float logarithm_of_one_and(float x) {
  const float sum = 1 + x, kept = sum - 1;
  return kept > 0 ? logarithm(sum) * (x / kept) : x;
}

}  // namespace orepa
