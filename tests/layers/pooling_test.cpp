// What rows of the harness cannot say of a pool: its mask, which is no number to be rounded, and
// where the gradient of what was drawn goes.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/layers/check_layer.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

std::string pool(const std::string& fields, const std::string& tops) {
  return "layer { name: \"it\" type: \"Pooling\" " + tops + " pooling_param { " + fields + " } }";
}

// Windows of 2 x 2 pixels, the last ones of a row or column with one pixel less.
LayerCase max_with_mask(const Shape& x, TestInput::Values values) {
  LayerCase row{
      "mask", pool("kernel_size: 2 stride: 2", "top: \"y\" top: \"mask\""), {{x, values, 3}}};
  row.differentiable_tops = 1;
  row.expected = [x](const Arrays& in, const Arrays&) {
    Arrays tops(2);
    for (int64_t plane = 0; plane < x[0] * x[1]; ++plane)
      for (int64_t h = 0; h < x[2]; h += 2)
        for (int64_t w = 0; w < x[3]; w += 2) {
          const auto value = [&](int64_t pixel) { return in[0][plane * x[2] * x[3] + pixel]; };
          int64_t largest = h * x[3] + w;
          for (int64_t i = h; i < std::min(h + 2, x[2]); ++i)
            for (int64_t j = w; j < std::min(w + 2, x[3]); ++j)
              if (value(i * x[3] + j) > value(largest)) largest = i * x[3] + j;
          tops[0].push_back(value(largest));
          tops[1].push_back(static_cast<double>(largest));
        }
    return tops;
  };
  return row;
}

TEST(PoolingMask, IsThePixelOfTheMaximum) {
  const auto device = test_device();
  check_layer(*device, max_with_mask({2, 3, 5, 6}, TestInput::Values::kSpread));
}

TEST(PoolingMask, IsTheFirstOfEqualPixels) {
  const auto device = test_device();
  LayerCase row = max_with_mask({1, 2, 4, 5}, TestInput::Values::kLabels);
  row.derivative = false;
  check_layer(*device, row);
}

// Numbers are indices into an image of up to 2^24 pixels, which bfloat16 cannot hold.
TEST(PoolingMask, KeepsItsLayerInFloat32) {
  const auto device = test_device();
  if (device->bfloat16() == Device::Support::kNone) GTEST_SKIP() << "not on this processor";
  EXPECT_FALSE(
      check_layer_in_bfloat16(*device, max_with_mask({2, 3, 5, 6}, TestInput::Values::kSpread)));
}

// Windows that do not overlap, of different numbers: what was drawn is known by its value.
TEST(StochasticPooling, GivesTheGradientToWhatWasDrawn) {
  const auto device = test_device();
  LayerBench bench(*device, pool("pool: STOCHASTIC kernel_size: 2 stride: 2", "top: \"y\""),
                   {{1, 1, 4, 6}}, {});
  Values x(24);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i + 1);
  bench.set_input(0, x);
  const Values y = bench.forward()[0];
  Values seeds(6), expected(24, 0.0f);
  int first_drawn = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    seeds[i] = static_cast<float>(10 + i);
    const auto pixel = static_cast<size_t>(y[i]) - 1;
    EXPECT_EQ(pixel / 12, i / 3) << "a window's number is of another one";
    EXPECT_EQ(pixel % 6 / 2, i % 3) << "a window's number is of another one";
    expected[pixel] = seeds[i];
    first_drawn += pixel % 2 == 0 && pixel / 6 % 2 == 0;
  }
  EXPECT_LT(first_drawn, 6) << "always the first pixel";
  EXPECT_EQ(bench.backward({seeds}).inputs[0], expected);
}

}  // namespace
}  // namespace orepa
