// Random numbers as functions: a Random is a key made of (seed, purpose, step), and number i of it
// is a function of the key and i. So there is no state to save, a resumed run draws what an
// uninterrupted one would, and every device and any number of threads draws the same. A
// Random::Purpose is the key without the step, for loops that read the step from device memory.
//
// The mixing function is SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
// Generators, OOPSLA 2014), applied twice.
#pragma once
#include <cmath>
#include <cstdint>
#include <string_view>

#include "orepa/parallel.h"

namespace orepa {

class Random {
 public:
  class Purpose {
   public:
    Purpose(uint64_t seed, std::string_view purpose) {
      uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
      for (const char c : purpose) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
      key_ = mix(seed) + mix(hash) * 3;
    }
    OREPA_HD Random at(uint64_t step) const { return Random(mix(key_ + mix(step + 0x51) * 5)); }

   private:
    uint64_t key_;
  };

  Random(uint64_t seed, std::string_view purpose, uint64_t step = 0)
      : Random(Purpose(seed, purpose).at(step)) {}

  OREPA_HD uint64_t bits(uint64_t i) const { return mix(key_ ^ mix(i)); }
  // In [0, 1), a multiple of 2^-24.
  OREPA_HD float uniform(uint64_t i) const {
    return static_cast<float>(bits(i) >> 40) * (1.0f / 16777216.0f);
  }
  OREPA_HD float uniform(uint64_t i, float least, float most) const {
    return least + (most - least) * uniform(i);
  }
  // In [0, n); REQUIRES: 0 < n < 2^32.
  OREPA_HD uint64_t below(uint64_t i, uint64_t n) const { return ((bits(i) >> 32) * n) >> 32; }
  // Mean 0, deviation 1 (Box and Muller).
  double normal(uint64_t i) const {
    const double u = (static_cast<double>(bits(2 * i) >> 11) + 1) * 0x1p-53;
    const double v = static_cast<double>(bits(2 * i + 1) >> 11) * 0x1p-53;
    return std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * v);
  }

 private:
  OREPA_HD explicit Random(uint64_t key) : key_(key) {}
  OREPA_HD static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }
  uint64_t key_;
};

}  // namespace orepa
