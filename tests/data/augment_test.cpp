// What transform_param says, as plans.
#include "data/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "orepa/model_io.h"
#include "tests/error_of.h"

namespace orepa {
namespace {

Augment augment(const std::string& param, bool train = true, uint64_t seed = 3,
                int64_t image_size = 0) {
  const NetSpec net = NetSpec::parse(
      "layer { name: 'd' type: 'Data' transform_param { " + param + " } }", "net.prototxt");
  return {net.layers()[0].message("transform_param"), train, seed, {}, image_size};
}

Plan plan(const Augment& augment, const Extent& image, int64_t walked = 0) {
  Plan plan;
  augment.plan(image, walked, plan);
  return plan;
}

std::string refusal(const std::string& param) {
  return error_of([&] { plan(augment(param), {40, 50}); });
}

bool within(const Box& box, const Extent& image) {
  return box.top >= 0 && box.left >= 0 && box.height >= 1 && box.width >= 1 &&
         box.top + box.height <= image.height && box.left + box.width <= image.width;
}

// Sizes and places as torchvision 0.14 has them: its Resize rounds the longer side down, its
// CenterCrop halves to the even side.
TEST(Augment, ResizesAndCropsAsTorchvision) {
  const Augment test =
      augment("transform { resize { shorter_side: 256 } } transform { center_crop { size: 224 } }");
  const Plan wide = plan(test, {375, 500});
  EXPECT_EQ(wide.view.region, (Box{0, 0, 375, 500}));
  EXPECT_EQ(wide.view.size, (Extent{256, 341}));
  EXPECT_EQ(wide.view.window, (Box{16, 58, 224, 224}));  // 117 / 2 = 58.5
  EXPECT_EQ(wide.view.filter, Filter::kAntialias);
  const Plan high = plan(test, {501, 334});
  EXPECT_EQ(high.view.size, (Extent{384, 256}));
  EXPECT_EQ(high.view.window, (Box{80, 16, 224, 224}));
  const Augment crop = augment("transform { center_crop { height: 3 width: 4 } }");
  EXPECT_EQ(plan(crop, {4, 7}).view.window, (Box{0, 2, 3, 4}));  // 0.5 and 1.5
  EXPECT_EQ(plan(crop, {6, 9}).view.window, (Box{2, 2, 3, 4}));  // 1.5 and 2.5
  EXPECT_EQ(plan(crop, {1, 2}).view.window, (Box{-1, -1, 3, 4}));
}

// The same part of the same image, with other pixels.
TEST(Augment, MakesImagesOfAnotherSize) {
  const char* part = "transform { random_resized_crop { size: ";
  const Augment large = augment(text(part, "224 } }"), true, 3, 128),
                small = augment(text(part, "128 } }"));
  for (int64_t walked = 0; walked < 100; ++walked) {
    const Plan a = plan(large, {375, 500}, walked), b = plan(small, {375, 500}, walked);
    EXPECT_EQ(a.view.region, b.view.region);
    EXPECT_EQ(a.view.size, b.view.size);
    EXPECT_EQ(a.view.window, b.view.window);
  }
  const Plan test = plan(
      augment("transform { resize { shorter_side: 256 } } transform { center_crop { size: 224 } "
              "}",
              false, 3, 112),
      {375, 500});
  EXPECT_EQ(test.view.region, (Box{0, 0, 375, 500}));
  EXPECT_EQ(test.view.size, (Extent{128, 171}));        // of 256 x 341
  EXPECT_EQ(test.view.window, (Box{8, 29, 112, 112}));  // of 16, 58
  const Plan whole = plan(augment("", true, 3, 14), {28, 56});
  EXPECT_EQ(whole.view.size, (Extent{14, 28}));
  EXPECT_EQ(whole.view.window, (Box{0, 0, 14, 28}));
  const Plan larger = plan(augment("crop_size: 4 pad: 2", false, 3, 8), {4, 4});
  EXPECT_EQ(larger.view.region, (Box{0, 0, 4, 4}));
  EXPECT_EQ(larger.view.size, (Extent{8, 8}));
  EXPECT_EQ(larger.view.window, (Box{0, 0, 8, 8}));
}

// Padding and what is erased are the same share of the image.
TEST(Augment, ScalesPaddingAndWhatIsErased) {
  const char* both =
      "transform { random_crop { size: 32 pad: 4 } } transform { random_erasing { probability: 1 } "
      "}";
  const Augment large = augment(both), small = augment(both, true, 3, 16);
  for (int64_t walked = 0; walked < 100; ++walked) {
    const Plan a = plan(large, {32, 32}, walked), b = plan(small, {32, 32}, walked);
    EXPECT_EQ(b.view.size, (Extent{16, 16}));
    EXPECT_EQ(b.view.window.extent(), (Extent{16, 16}));
    EXPECT_NEAR(b.view.window.top, a.view.window.top / 2.0, 0.5);
    EXPECT_NEAR(b.view.window.left, a.view.window.left / 2.0, 0.5);
    EXPECT_NEAR(b.erased.top, a.erased.top / 2.0, 0.5);
    EXPECT_NEAR(b.erased.left + b.erased.width, (a.erased.left + a.erased.width) / 2.0, 0.5);
    EXPECT_TRUE(within(b.erased, {16, 16}));
  }
}

// Caffe rounds down, and crops at the centre in tests alone.
TEST(Augment, CropsAsCaffe) {
  EXPECT_EQ(plan(augment("crop_size: 4", false), {7, 9}).view.window, (Box{1, 2, 4, 4}));
  std::set<std::vector<int64_t>> seen;
  const Augment train = augment("crop_size: 4 mirror: true");
  for (int64_t walked = 0; walked < 1000; ++walked) {
    const Plan drawn = plan(train, {6, 7}, walked);
    EXPECT_TRUE(within(drawn.view.window, {6, 7}));
    seen.insert({drawn.view.window.top, drawn.view.window.left, drawn.view.flip});
  }
  EXPECT_EQ(seen.size(), 3u * 4 * 2);
}

TEST(Augment, ResizesAPartOfAllowedAreaAndShape) {
  const Augment train = augment("transform { random_resized_crop { size: 32 } }");
  const Extent image{300, 400};
  double least_area = 1, most_area = 0, least_aspect = 9, most_aspect = 0, area_sum = 0;
  constexpr int kDraws = 3000;
  for (int64_t walked = 0; walked < kDraws; ++walked) {
    const View view = plan(train, image, walked).view;
    ASSERT_TRUE(within(view.region, image));
    EXPECT_EQ(view.size, (Extent{32, 32}));
    EXPECT_EQ(view.window, (Box{0, 0, 32, 32}));
    const double area = double(view.region.height * view.region.width) / (300 * 400);
    const double aspect = double(view.region.width) / double(view.region.height);
    least_area = std::min(least_area, area), most_area = std::max(most_area, area);
    least_aspect = std::min(least_aspect, aspect), most_aspect = std::max(most_aspect, aspect);
    area_sum += area;
  }
  EXPECT_NEAR(least_area, 0.08, 0.01);
  EXPECT_LE(most_area, 1);
  EXPECT_GT(most_area, 0.9);
  // Sides are whole pixels: the shortest is 80, so that aspects are off by 1 % at most.
  EXPECT_NEAR(least_aspect, 0.75, 0.01);
  EXPECT_NEAR(most_aspect, 4.0 / 3, 0.02);
  EXPECT_GT(area_sum / kDraws, 0.4);  // even from 0.08 to 1, less what does not fit
  EXPECT_LT(area_sum / kDraws, 0.54);
}

// Where nothing fits: the largest centre of an allowed shape.
TEST(Augment, FallsBackToTheCentre) {
  const Augment train =
      augment("transform { random_resized_crop { size: 8 min_area: 0.9 max_area: 1 } }");
  EXPECT_EQ(plan(train, {30, 400}).view.region, (Box{0, 180, 30, 40}));
  EXPECT_EQ(plan(train, {400, 30}).view.region, (Box{180, 0, 40, 30}));
}

// What stands behind a flip is of the flipped image.
TEST(Augment, CropsWhatIsFlipped) {
  const Augment both =
      augment("transform { flip { probability: 1 } } transform { random_crop { size: 4 } }");
  const Augment cut =
      augment("transform { flip { probability: 0 } } transform { random_crop { size: 4 } }");
  for (int64_t walked = 0; walked < 50; ++walked) {
    const View flipped = plan(both, {9, 11}, walked).view,
               straight = plan(cut, {9, 11}, walked).view;
    EXPECT_TRUE(flipped.flip);
    EXPECT_FALSE(straight.flip);
    EXPECT_EQ(flipped.window.left, 11 - 4 - straight.window.left);
    EXPECT_EQ(flipped.window.top, straight.window.top);
  }
}

TEST(Augment, FlipsAsOftenAsItIsTold) {
  const Augment flip = augment("transform { flip { probability: 0.3 } }");
  int flipped = 0;
  for (int64_t walked = 0; walked < 4000; ++walked) flipped += plan(flip, {2, 2}, walked).view.flip;
  EXPECT_NEAR(flipped, 1200, 5 * 29);  // sqrt(4000 * 0.3 * 0.7)
}

TEST(Augment, ChangesColoursInEveryOrder) {
  const Augment jitter = augment(
      "transform { color_jitter { brightness: 0.4 contrast: 0.3 saturation: 2 hue: 0.1 } }");
  const std::map<Photometric, std::pair<float, float>> ranges = {
      {Photometric::kBrightness, {0.6f, 1.4f}},
      {Photometric::kContrast, {0.7f, 1.3f}},
      {Photometric::kSaturation, {0.0f, 3.0f}},
      {Photometric::kHue, {-0.1f, 0.1f}}};
  std::map<std::vector<int>, int> orders;
  for (int64_t walked = 0; walked < 2400; ++walked) {
    std::vector<int> order;
    for (const ColorChange& change : plan(jitter, {8, 8}, walked).colors) {
      order.push_back(static_cast<int>(change.what));
      EXPECT_GE(change.factor, ranges.at(change.what).first);
      EXPECT_LE(change.factor, ranges.at(change.what).second);
    }
    ++orders[order];
  }
  EXPECT_EQ(orders.size(), 24u);
  for (const auto& [order, count] : orders) EXPECT_NEAR(count, 100, 5 * 10);
  EXPECT_EQ(plan(augment("transform { color_jitter { hue: 0.5 } }"), {8, 8}).colors.size(), 1u);
}

// The covariance of the added light is that of ImageNet's colours, times 0.01 and 255 squared.
TEST(Augment, LightsAlongThePrincipalComponents) {
  const Augment lighting = augment("transform { lighting {} }");
  constexpr int kDraws = 4000;
  double squares[3] = {}, product = 0;
  for (int64_t walked = 0; walked < kDraws; ++walked) {
    const auto light = plan(lighting, {8, 8}, walked).light;
    for (int c = 0; c < 3; ++c) squares[c] += light[c] * light[c] / kDraws;
    product += light[0] * light[2] / kDraws;
  }
  // 25.5 squared times sum over components of (deviation x component) squared; to 5 sigma of a
  // variance's estimate, 5 sqrt(2 / n).
  const double expected[3] = {10.03, 10.55, 10.64};
  const double relative = 5 * std::sqrt(2.0 / kDraws);
  for (int c = 0; c < 3; ++c) EXPECT_NEAR(squares[c], expected[c], relative * expected[c]) << c;
  EXPECT_GT(product, 0.9 * std::sqrt(squares[0] * squares[2]));
}

TEST(Augment, ErasesRectangles) {
  const Augment erasing = augment(
      "transform { center_crop { size: 40 } } "
      "transform { random_erasing { probability: 0.25 } }");
  int erased = 0;
  for (int64_t walked = 0; walked < 2000; ++walked) {
    const Box box = plan(erasing, {50, 60}, walked).erased;
    if (box == Box{}) continue;
    ++erased;
    ASSERT_TRUE(within(box, {40, 40}));
    const double area = double(box.height * box.width) / 1600;
    EXPECT_GT(area, 0.015);
    EXPECT_LT(area, 0.35);
  }
  EXPECT_NEAR(erased, 500, 5 * 19.4);
}

// The same for a sample whenever it is drawn, another for the next one, and with another seed.
TEST(Augment, IsAFunctionOfSeedAndSample) {
  const std::string param =
      "transform { random_resized_crop { size: 8 } } transform { flip {} } "
      "transform { color_jitter { brightness: 0.5 } }";
  const Augment one = augment(param), again = augment(param), other = augment(param, true, 4);
  std::set<int64_t> regions;
  int equal = 0;
  for (const int64_t walked : {9, 3, 3, 7, 1000000000}) {
    const Plan a = plan(one, {100, 100}, walked), b = plan(again, {100, 100}, walked);
    EXPECT_EQ(a.view.region, b.view.region);
    EXPECT_EQ(a.view.flip, b.view.flip);
    EXPECT_EQ(a.colors[0].factor, b.colors[0].factor);
    regions.insert(a.view.region.top * 1000 + a.view.region.left);
    equal += a.view.region == plan(other, {100, 100}, walked).view.region;
  }
  EXPECT_EQ(regions.size(), 4u);
  EXPECT_EQ(equal, 0);
}

TEST(Augment, SaysWhatIsWrong) {
  const std::map<std::string, std::string> reasons = {
      {"transform { flip {} } crop_size: 3", "crop_size is Caffe's; beside transform {}"},
      {"transform {}", "a transform {} is empty"},
      {"transform { flip {} resize { size: 3 } }", "this one resize and flip; write two"},
      {"transform { lighting {} } transform { flip {} }", "flip stands too late"},
      {"transform { random_erasing {} } transform { lighting {} }", "lighting stands too late"},
      {"transform { normalize {} } transform { flip {} }", "normalize comes last, but flip"},
      {"transform { resize { size: 3 } } transform { random_resized_crop { size: 3 } }",
       "would resize for the second time"},
      {"transform { resize {} }", "give either size, for a square, or height and width"},
      {"transform { center_crop { size: 3 width: 3 } }", "give either size"},
      {"transform { center_crop { height: 3 } }", "give either size"},
      {"transform { resize { size: 3 shorter_side: 3 } }", "give either shorter_side"},
      {"transform { center_crop { size: 0 } }", "size must lie between 1 and 16384, got 0"},
      {"transform { random_crop { size: 41 } }", "is smaller by 1 pixels than its crop"},
      {"transform { random_crop { size: 48 pad: 4 } } transform { resize { size: 9 } }",
       "is padded before it is resized"},
      {"transform { flip { probability: 2 } }", "probability must lie in [0, 1], got 2"},
      {"transform { random_resized_crop { size: 3 min_area: 0 } }", "min_area must be positive"},
      {"transform { random_resized_crop { size: 3 max_area: 2 } }", "max_area must lie between"},
      {"transform { random_erasing { min_aspect: 4 } }", "max_aspect must not be smaller"},
      {"transform { color_jitter { hue: 0.6 } }", "hue must lie in [0, 0.5], got 0.6"},
      {"transform { lighting { deviation: -1 } }", "deviation must not be negative"},
      {"transform { normalize { deviation: 0 } }", "deviation must be positive"},
      {"force_color: true force_gray: true", "either force_color or force_gray"},
      {"crop_size: 41", "is smaller by 1 pixels than its crop"}};
  for (const auto& [param, reason] : reasons)
    EXPECT_NE(refusal(param).find(reason), std::string::npos) << param << "\n" << refusal(param);
  EXPECT_NE(refusal("transform { flip { probability: 2 } }").find("net.prototxt:1:"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              augment("transform { normalize { mean: 1 mean: 2 } }").means(3);
            }).find("gives a mean for 2 channels, but images have 3"),
            std::string::npos);
}

}  // namespace
}  // namespace orepa
