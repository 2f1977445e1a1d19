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
  // 2^whole (1 + slope + curve), of a |whole| <= 252: 2^whole itself may be no float.
  OREPA_HD float times(int32_t whole) const {
    const int32_t half = whole >> 1;
    const float line = 1 + slope, lost = slope - (line - 1);
    return (line + (lost + curve)) * of(half) * of(whole - half);
  }
  // REQUIRES: -126 <= power <= 127.
  OREPA_HD static float of(int32_t power) {
    return float_of((static_cast<uint32_t>(power) + 127) << 23);
  }
};

OREPA_HD inline float exponential(float x) {
  const float below = x > 89.0f ? 89.0f : x;  // from there on it is infinite, below -104 it is 0
  const PowerOfTwo parts(below < -104.0f ? -104.0f : below);
  return parts.times(parts.power);
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

// log(x) as whole log 2 + slope - square / 2 + curve, with a slope between -0.3 and 0.42.
struct LogarithmOfTwo {
  float whole, slope, square, curve;
  // REQUIRES: 0 < x < infinity.
  OREPA_HD explicit LogarithmOfTwo(float x) {
    const bool tiny = x < FLT_MIN;
    const uint32_t bits = bits_of(tiny ? x * 8388608.0f : x);
    const float m = float_of((bits & 0x7fffffu) | 0x3f000000u);  // from 1/2 on, below 1
    const bool low = m < 0.707106781f;
    whole = static_cast<float>(static_cast<int32_t>(bits >> 23) - 126) - (tiny ? 23.0f : 0.0f) -
            (low ? 1.0f : 0.0f);
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
    slope = r;
    square = r * r;
    curve = sum * r * square;
  }
};

OREPA_HD inline float logarithm(float x) {
  const LogarithmOfTwo parts(x);
  const float curved = parts.curve - parts.whole * 2.12194440e-4f - 0.5f * parts.square;
  const float value = parts.slope + curved + parts.whole * 0.693359375f;
  const float finite = x > 0 ? value : (x == 0 ? -INFINITY : NAN);
  return x <= FLT_MAX ? finite : x;  // infinity and NaN are their own
}

// log(1 + x) of an x from 0 to 1, without loss where x is small.
OREPA_HD inline float logarithm_of_one_and(float x) {
  const float sum = 1 + x, kept = sum - 1;
  return kept > 0 ? logarithm(sum) * (x / kept) : x;
}

// x^power, for one power, within 2 + |power| units in the last place: NaN of an x < 0 where power
// is no whole number. -0 counts as 0.
struct Raise {
  float power = 1;
  float of_zero = 0, of_infinity = INFINITY, sign = -1;  // of an x < 0, its result's

  Raise() = default;
  explicit Raise(float power)
      : power(power),
        of_zero(std::pow(0.0f, power)),
        of_infinity(std::pow(INFINITY, power)),
        sign(std::pow(-1.0f, power)) {}
  OREPA_HD float operator()(float x) const {
    constexpr float kMost = 4096;  // powers of two beyond which all is 0 or infinite
    const float size = fabsf(x);
    const LogarithmOfTwo log(size);
    const float exact = power * log.whole, above = exact < -kMost ? -kMost : exact;
    const float whole = rintf(above > kMost ? kMost : above);
    const float left = fmaf(power, log.whole, -whole) * 0.693147181f;
    const float rest = left + power * (log.slope + (log.curve - 0.5f * log.square));
    const float higher = rest < -kMost ? -kMost : rest;
    const PowerOfTwo parts(higher > kMost ? kMost : higher);
    const int32_t two = parts.power + static_cast<int32_t>(whole), low = two < -250 ? -250 : two;
    const float inside = parts.times(low > 250 ? 250 : low);
    const float finite = size > 0 ? inside : of_zero;
    const float value = size <= FLT_MAX ? finite : of_infinity;
    const float sound = x < 0 ? sign * value : value;
    return x == x ? sound : x;
  }
};

}  // namespace orepa
