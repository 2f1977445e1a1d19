// Buffers and random numbers for the tests of devices' plans.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
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
      : device_(device), memory_(device, bytes + 2 * kBorder), bytes_(bytes), type_(type) {
    write(0, std::vector<unsigned char>(static_cast<size_t>(memory_.bytes()), kNan));
  }
  // Rounded to the type.
  Buffer(Device& device, const Values& values, DType type = DType::kFloat32)
      : Buffer(device, static_cast<int64_t>(values.size()) * size_of(type), type) {
    set(values);
  }
  ~Buffer() {
    const std::vector<unsigned char> all = read();
    const auto untouched = [](unsigned char byte) { return byte == kNan; };
    EXPECT_TRUE(std::all_of(all.begin(), all.begin() + kBorder, untouched))
        << "written before a buffer";
    EXPECT_TRUE(std::all_of(all.end() - kBorder, all.end(), untouched))
        << "written behind a buffer";
  }

  // Memory of the device.
  float* data() const {
    return reinterpret_cast<float*>(static_cast<char*>(memory_.data()) + kBorder);
  }
  void set(const Values& values) const {
    std::vector<unsigned char> bytes(static_cast<size_t>(bytes_));
    const Numbers numbers(Tensor{bytes.data(), {}, type_});
    for (size_t i = 0; i < values.size(); ++i) numbers.set(static_cast<int64_t>(i), values[i]);
    write(kBorder, bytes);
  }
  Values values() const {
    std::vector<unsigned char> all = read();
    const Numbers numbers(Tensor{all.data() + kBorder, {}, type_});
    Values values(static_cast<size_t>(bytes_ / size_of(type_)));
    for (size_t i = 0; i < values.size(); ++i) values[i] = numbers[static_cast<int64_t>(i)];
    return values;
  }

 private:
  void write(int64_t offset, const std::vector<unsigned char>& bytes) const {
    device_.copy_to_device(static_cast<char*>(memory_.data()) + offset, bytes.data(),
                           static_cast<int64_t>(bytes.size()));
    device_.synchronize();
  }
  std::vector<unsigned char> read() const {
    std::vector<unsigned char> bytes(static_cast<size_t>(memory_.bytes()));
    device_.copy_to_host(bytes.data(), memory_.data(), memory_.bytes());
    return bytes;
  }

  static constexpr int64_t kBorder = 256;
  static constexpr unsigned char kNan = 0xff;
  Device& device_;
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
