#include "orepa/numbers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/error_of.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

float rounded(float value) { return BFloat16::of(value).value(); }

TEST(BFloat16, RoundsToTheNearestAndTiesToEven) {
  constexpr float kUnit = 1.0f / 128;  // in the last place of numbers from 1 to 2
  for (int k = 0; k < 128; ++k) EXPECT_EQ(rounded(1 + k * kUnit), 1 + k * kUnit);
  EXPECT_EQ(rounded(1 + 0.499f * kUnit), 1);
  EXPECT_EQ(rounded(1 + 0.501f * kUnit), 1 + kUnit);
  EXPECT_EQ(rounded(1 + 0.5f * kUnit), 1);
  EXPECT_EQ(rounded(1 + 1.5f * kUnit), 1 + 2 * kUnit);
  EXPECT_EQ(rounded(-1 - 1.5f * kUnit), -1 - 2 * kUnit);
}

TEST(BFloat16, KeepsWhatIsNoOrdinaryNumber) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(rounded(infinity), infinity);
  EXPECT_EQ(rounded(-infinity), -infinity);
  EXPECT_EQ(rounded(std::numeric_limits<float>::max()), infinity);
  EXPECT_TRUE(std::isnan(rounded(std::numeric_limits<float>::quiet_NaN())));
  // One whose upper half alone would be an infinity.
  uint32_t bits = 0x7f800001;
  float narrow_nan;
  memcpy(&narrow_nan, &bits, sizeof bits);
  EXPECT_TRUE(std::isnan(rounded(narrow_nan)));
  EXPECT_TRUE(std::signbit(rounded(-0.0f)));
  EXPECT_EQ(rounded(1e-40f), BFloat16{1}.value() * std::round(1e-40f / BFloat16{1}.value()));
}

struct Twice {
  Numbers from, to;
  OREPA_HD void operator()(int64_t i) const { to.set(i, 2 * from[i]); }
};

// Enough for several threads and a rest.
TEST(Numbers, AreReadAndWrittenInEitherType) {
  constexpr int64_t kCount = 40'003;
  const auto device = test_device();
  for (const DType from : {DType::kFloat32, DType::kBFloat16})
    for (const DType to : {DType::kFloat32, DType::kBFloat16}) {
      std::vector<float> floats(kCount);
      std::vector<BFloat16> halves(kCount);
      for (int64_t i = 0; i < kCount; ++i) {
        floats[i] = static_cast<float>(i % 251) - 125;
        halves[i] = BFloat16::of(floats[i]);
      }
      const DeviceMemory in(*device, kCount * size_of(from)), out(*device, kCount * size_of(to));
      const bool wide = from == DType::kFloat32;
      device->copy_to_device(in.data(), wide ? static_cast<void*>(floats.data()) : halves.data(),
                             kCount * size_of(from));
      const Tensor a{in.data(), {kCount}, from}, b{out.data(), {kCount}, to};
      parallel_for(*device, kCount, Twice{a, b});
      const std::vector<float> twice = read_tensor(*device, b);
      for (int64_t i = 0; i < kCount; ++i) ASSERT_EQ(twice[i], 2 * floats[i]) << i;
    }
}

TEST(Tensor, IsNotTakenForFloat32WhereItIsNot) {
  uint16_t number = 0;
  EXPECT_EQ(error_of([&] {
              static_cast<void>(Tensor{&number, {1}, DType::kBFloat16}.floats());
            }),
            "numbers in bfloat16 were taken for float32");
}

}  // namespace
}  // namespace orepa
