// Buffers and random numbers for the tests of the CPU's plans.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "orepa/numbers.h"
#include "orepa/random.h"

namespace orepa {

using Values = std::vector<float>;

// Memory aligned as a device's, with a border on both sides that nobody may write. Filled with NaN,
// so that what is read before it was written, or never written, shows.
class Buffer {
 public:
  Buffer(Device& device, int64_t bytes, DType type = DType::kFloat32)
      : memory_(device, bytes + 2 * kBorder), bytes_(bytes), type_(type) {
    std::memset(memory_.data(), kNan, static_cast<size_t>(memory_.bytes()));
  }
  // Rounded to the type.
  Buffer(Device& device, const Values& values, DType type = DType::kFloat32)
      : Buffer(device, static_cast<int64_t>(values.size()) * size_of(type), type) {
    for (size_t i = 0; i < values.size(); ++i) numbers().set(static_cast<int64_t>(i), values[i]);
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
  Values values() const {
    Values values(static_cast<size_t>(bytes_ / size_of(type_)));
    for (size_t i = 0; i < values.size(); ++i) values[i] = numbers()[static_cast<int64_t>(i)];
    return values;
  }

 private:
  Numbers numbers() const { return Tensor{data(), {}, type_}; }

  static constexpr int64_t kBorder = 256;
  static constexpr unsigned char kNan = 0xff;
  DeviceMemory memory_;
  int64_t bytes_;
  DType type_;
};

// In [-1, 1], numbers of the type.
inline Values random_numbers(int64_t count, std::string_view purpose,
                             DType type = DType::kFloat32) {
  const Random random(1, purpose);
  Values numbers(static_cast<size_t>(count));
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = 2 * random.uniform(i) - 1;
    if (type == DType::kBFloat16) numbers[i] = BFloat16::of(numbers[i]).value();
  }
  return numbers;
}

}  // namespace orepa
