// Buffers and random numbers for the tests of the CPU's plans.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "orepa/device.h"
#include "orepa/random.h"

namespace orepa {

using Numbers = std::vector<float>;

// Memory aligned as a device's, with a border on both sides that nobody may write. Filled with NaN,
// so that what is read before it was written, or never written, shows.
class Buffer {
 public:
  Buffer(Device& device, int64_t bytes) : memory_(device, bytes + 2 * kBorder), bytes_(bytes) {
    std::memset(memory_.data(), kNan, static_cast<size_t>(memory_.bytes()));
  }
  Buffer(Device& device, const Numbers& numbers)
      : Buffer(device, static_cast<int64_t>(numbers.size() * sizeof(float))) {
    std::copy(numbers.begin(), numbers.end(), data());
  }
  ~Buffer() {
    const auto* begin = static_cast<const unsigned char*>(memory_.data());
    const auto untouched = [](unsigned char byte) { return byte == kNan; };
    EXPECT_TRUE(std::all_of(begin, begin + kBorder, untouched)) << "written before a buffer";
    const auto* end = begin + kBorder + bytes_;
    EXPECT_TRUE(std::all_of(end, end + kBorder, untouched)) << "written behind a buffer";
  }

  float* data() const {
    return reinterpret_cast<float*>(static_cast<char*>(memory_.data()) + kBorder);
  }
  Numbers numbers() const { return {data(), data() + bytes_ / sizeof(float)}; }

 private:
  static constexpr int64_t kBorder = 256;
  static constexpr unsigned char kNan = 0xff;
  DeviceMemory memory_;
  int64_t bytes_;
};

// In [-1, 1).
inline Numbers random_numbers(int64_t count, std::string_view purpose) {
  const Random random(1, purpose);
  Numbers numbers(static_cast<size_t>(count));
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = 2 * random.uniform(i) - 1;
  return numbers;
}

}  // namespace orepa
