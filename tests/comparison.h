// Arrays compared by their largest numbers.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace orepa {

// The largest magnitude.
template <class Number>
double largest(const std::vector<Number>& values) {
  double most = 0;
  for (const double value : values) most = std::max(most, std::abs(value));
  return most;
}

// NaN, which is within no limit, where the sizes differ or a number is not finite.
template <class Number, class Wanted>
double largest_difference(const std::vector<Number>& got, const std::vector<Wanted>& wanted) {
  if (got.size() != wanted.size()) return std::numeric_limits<double>::quiet_NaN();
  double most = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double difference = std::abs(double{got[i]} - double{wanted[i]});
    if (!std::isfinite(difference)) return std::numeric_limits<double>::quiet_NaN();
    most = std::max(most, difference);
  }
  return most;
}

// The tolerance is relative to the largest number wanted, or to `least` where that is more.
template <class Number, class Wanted>
void expect_close(const std::vector<Number>& got, const std::vector<Wanted>& wanted,
                  double tolerance, const std::string& what, double least = 0) {
  const double scale = std::max(largest(wanted), least);
  EXPECT_LE(largest_difference(got, wanted), tolerance * scale)
      << what << ", " << got.size() << " numbers, largest wanted " << scale;
}

}  // namespace orepa
