#include "orepa/tensor.h"

#include <gtest/gtest.h>

#include <numeric>

namespace orepa {
namespace {

TEST(Shape, CountsItsElements) {
  const Shape shape = {2, 3, 4, 5};
  EXPECT_EQ(shape.rank(), 4);
  EXPECT_EQ(shape.count(), 120);
  EXPECT_EQ(shape.count(1, 3), 12);
  EXPECT_EQ(shape.count(2, 2), 1);
  EXPECT_EQ(shape.bytes(), 480);
  EXPECT_EQ(shape[-1], 5);
  EXPECT_EQ(Shape({7, 0}).count(), 0);
}

TEST(Shape, OfAScalarHasRankZeroAndCountOne) {
  EXPECT_EQ(Shape().rank(), 0);
  EXPECT_EQ(Shape().count(), 1);
  EXPECT_EQ(Shape().str(), "scalar");
}

TEST(Shape, ReadsAsExtents) {
  EXPECT_EQ(Shape({16, 3, 224, 224}).str(), "16 x 3 x 224 x 224");
  EXPECT_NE(Shape({2, 3}), Shape({3, 2}));
  EXPECT_NE(Shape({2, 3}), Shape({2, 3, 1}));
}

std::vector<float> counting(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  std::iota(values.begin(), values.end(), 0.0f);
  return values;
}

TEST(CaffeOrder, OfRank4MovesChannelsInnermost) {
  const Shape shape = {2, 3, 4, 5};
  const std::vector<float> caffe = counting(shape.count());
  std::vector<float> stored(caffe.size());
  from_caffe_order(shape, caffe.data(), stored.data());
  for (int n = 0; n < 2; ++n)
    for (int c = 0; c < 3; ++c)
      for (int h = 0; h < 4; ++h)
        for (int w = 0; w < 5; ++w)
          ASSERT_EQ(stored[((n * 4 + h) * 5 + w) * 3 + c], caffe[((n * 3 + c) * 4 + h) * 5 + w])
              << n << " " << c << " " << h << " " << w;
  std::vector<float> back(caffe.size());
  to_caffe_order(shape, stored.data(), back.data());
  EXPECT_EQ(back, caffe);
}

TEST(CaffeOrder, OfAnyOtherRankStays) {
  for (const Shape& shape :
       {Shape(), Shape{6}, Shape{2, 3}, Shape{2, 3, 4}, Shape{2, 3, 2, 2, 2}}) {
    const std::vector<float> caffe = counting(shape.count());
    std::vector<float> stored(caffe.size(), -1), back(caffe.size(), -1);
    from_caffe_order(shape, caffe.data(), stored.data());
    to_caffe_order(shape, caffe.data(), back.data());
    EXPECT_EQ(stored, caffe) << shape.str();
    EXPECT_EQ(back, caffe) << shape.str();
  }
}

TEST(CaffeOrder, OfNothingTouchesNothing) {
  from_caffe_order({0, 3, 4, 5}, nullptr, nullptr);
  to_caffe_order({2, 3, 0, 5}, nullptr, nullptr);
}

}  // namespace
}  // namespace orepa
