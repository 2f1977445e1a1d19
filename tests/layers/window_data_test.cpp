#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "data/augment.h"
#include "orepa.pb.h"
#include "orepa/model_io.h"
#include "orepa/net.h"
#include "tests/data/image_files.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// What Caffe's window_data_layer.cpp does with a window: x1, y1, x2, y2 as in its file; the part of
// the image that is resized to `size`, and where that stands in the crop.
struct Expected {
  Box part;
  Extent size;
  int64_t top = 0, left = 0;
};

Expected caffe(int x1, int y1, int x2, int y2, Extent image, int crop, int context, bool square,
               bool mirror) {
  Expected expected{{}, {crop, crop}};
  if (context > 0 || square) {
    const float scale = static_cast<float>(crop) / static_cast<float>(crop - 2 * context);
    float half_height = static_cast<float>((y2 - y1 + 1) / 2.0);
    float half_width = static_cast<float>((x2 - x1 + 1) / 2.0);
    const float center_x = static_cast<float>(x1) + half_width;
    const float center_y = static_cast<float>(y1) + half_height;
    if (square) half_height = half_width = std::max(half_height, half_width);
    x1 = static_cast<int>(std::round(center_x - half_width * scale));
    x2 = static_cast<int>(std::round(center_x + half_width * scale));
    y1 = static_cast<int>(std::round(center_y - half_height * scale));
    y2 = static_cast<int>(std::round(center_y + half_height * scale));
    const int height = y2 - y1 + 1, width = x2 - x1 + 1;
    int pad_x1 = std::max(0, -x1), pad_y1 = std::max(0, -y1);
    int pad_x2 = std::max(0, x2 - static_cast<int>(image.width) + 1);
    const int pad_y2 = std::max(0, y2 - static_cast<int>(image.height) + 1);
    x1 += pad_x1, x2 -= pad_x2, y1 += pad_y1, y2 -= pad_y2;
    const float scale_x = static_cast<float>(crop) / static_cast<float>(width);
    const float scale_y = static_cast<float>(crop) / static_cast<float>(height);
    const auto scaled = [](int n, float by) {
      return static_cast<int>(std::round(static_cast<float>(n) * by));
    };
    expected.size = {scaled(y2 - y1 + 1, scale_y), scaled(x2 - x1 + 1, scale_x)};
    pad_x1 = scaled(pad_x1, scale_x), pad_x2 = scaled(pad_x2, scale_x);
    expected.top = scaled(pad_y1, scale_y);
    expected.left = mirror ? pad_x2 : pad_x1;
    expected.size.height = std::min<int64_t>(expected.size.height, crop - expected.top);
    expected.size.width = std::min<int64_t>(expected.size.width, crop - expected.left);
  }
  expected.part = {y1, x1, y2 - y1 + 1, x2 - x1 + 1};
  return expected;
}

Augment augment(const std::string& param, const Loading::Windows& windows, bool train = true) {
  const NetSpec net = NetSpec::parse("layer { transform_param { " + param + " } }", "net.prototxt");
  Loading loading;
  loading.windows = windows;
  return {net.layers()[0].message("transform_param"), train, 3, loading};
}

TEST(WindowPlan, IsCaffes) {
  const Extent image{37, 53};
  std::set<bool> flips;
  for (const int context : {0, 1, 4})
    for (const bool square : {false, true})
      for (const bool mirror : {false, true}) {
        const Augment windows =
            augment(mirror ? "crop_size: 21 mirror: true" : "crop_size: 21", {context, square});
        int64_t walked = 0;
        for (const int x1 : {0, 1, 20, 45})
          for (const int y1 : {0, 3, 30})
            for (const int width : {1, 2, 7, 8})
              for (const int height : {1, 5, 7}) {
                const Box window{y1, x1, height, width};
                Plan plan;
                windows.plan(image, walked++, plan, &window);
                const View& view = plan.view;
                flips.insert(view.flip);
                EXPECT_FALSE(view.flip && !mirror);
                const Expected expected = caffe(x1, y1, x1 + width - 1, y1 + height - 1, image, 21,
                                                context, square, view.flip);
                EXPECT_EQ(view.region, expected.part);
                EXPECT_EQ(view.size, expected.size);
                EXPECT_EQ(view.window.extent(), (Extent{21, 21}));
                EXPECT_EQ(-view.window.top, expected.top);
                const int64_t left = -view.window.left;
                EXPECT_EQ(view.flip ? 21 - left - view.size.width : left, expected.left);
                EXPECT_EQ(view.filter, Filter::kBilinear);
              }
      }
  EXPECT_EQ(flips.size(), 2u);
}

TEST(WindowPlan, FlipsInTrainingAlone) {
  const Augment test = augment("crop_size: 4 mirror: true", {0, false}, false);
  const Box window{0, 0, 2, 2};
  for (int64_t walked = 0; walked < 20; ++walked) {
    Plan plan;
    test.plan({9, 9}, walked, plan, &window);
    EXPECT_FALSE(plan.view.flip);
  }
}

// Two images of 6 x 8 grey pixels, which get 20 y + 2 x and 1 more. Windows of the foreground have
// the classes 1 to 5, those of the background stand at the top.
class WindowDataTest : public testing::Test {
 protected:
  WindowDataTest() {
    for (int n = 0; n < 2; ++n) {
      Image image;
      image.resize({6, 8}, 3);
      for (int y = 0; y < 6; ++y)
        for (int x = 0; x < 8; ++x)
          for (int c = 0; c < 3; ++c)
            image.at(y, x)[c] = static_cast<unsigned char>(20 * y + 2 * x + n);
      write_file(folder_ + text(n, ".png"), png_file(image));
    }
    write_file(folder_ + "windows",
               "# 0 0.png 3 6 8 4\n1 0.7 2 1 4 3\n2 0.8 0 2 2 4\n3 0.9 5 3 7 5\n9 0.1 0 0 2 2\n"
               "# 1 1.png 3 6 8 4\n4 0.7 1 1 3 3\n5 0.6 2 2 4 4\n9 0.2 3 0 5 2\n9 0 5 0 7 2\n");
  }
  std::unique_ptr<Net> net(const std::string& fields, const std::string& transform,
                           NetOptions options = {}) {
    options.phase = Phase::kTrain;
    return std::make_unique<Net>(
        NetSpec::parse("layer { name: 'd' type: 'WindowData' top: 'x' top: 't' window_data_param { "
                       "source: '" +
                           folder_ + "windows' root_folder: '" + folder_ + "' " + fields +
                           " } transform_param { " + transform + " } }",
                       "net.prototxt"),
        parameters_, arena_, options);
  }
  std::string refusal(const std::string& fields, const std::string& transform = "crop_size: 3") {
    return error_of([&] { net(fields, transform); });
  }

  const std::string folder_ = test_folder();
  std::unique_ptr<Device> device_ = test_device();
  Parameters parameters_{*device_, 5, false};
  Arena arena_{*device_};
};

TEST_F(WindowDataTest, EndsEachBatchWithItsForeground) {
  const auto made = net("batch_size: 4 fg_fraction: 0.7", "crop_size: 3");  // 2.8: two rows
  EXPECT_EQ(made->shape("x"), (Shape{4, 3, 3, 3}));
  EXPECT_EQ(made->samples(), 0);
  std::multiset<float> seen;
  for (int64_t pass = 0; pass < 10; ++pass) {
    made->forward(pass);
    const std::vector<float> labels = made->read("t");
    EXPECT_EQ(labels[0], 0);
    EXPECT_EQ(labels[1], 0);
    seen.insert(labels.begin() + 2, labels.end());
  }
  // Four walks over all of them.
  EXPECT_EQ(seen,
            (std::multiset<float>{1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5}));
}

TEST_F(WindowDataTest, CutsWindowsOut) {
  const auto made = net("batch_size: 5 fg_fraction: 1", "crop_size: 3 scale: 0.5");
  made->forward(0);
  const std::vector<float> pixels = made->read("x"), labels = made->read("t");
  const std::map<float, std::array<int, 3>> places{
      {1, {0, 2, 1}}, {2, {0, 0, 2}}, {3, {0, 5, 3}}, {4, {1, 1, 1}}, {5, {1, 2, 2}}};
  ASSERT_EQ(std::set<float>(labels.begin(), labels.end()), (std::set<float>{1, 2, 3, 4, 5}));
  for (size_t row = 0; row < 5; ++row) {
    const auto [image, left, top] = places.at(labels[row]);
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < 3; ++y)
        for (int x = 0; x < 3; ++x)
          EXPECT_EQ(pixels[static_cast<size_t>((static_cast<int>(row) * 3 + c) * 9 + 3 * y + x)],
                    0.5f * static_cast<float>(20 * (top + y) + 2 * (left + x) + image));
  }
}

// A window of 3 x 3 in the corner of the image, in a square of 5 whose edge is context: rows and
// columns -1 to 4 of the image, 6 of them, become 5, the first of which is padding. The mean image
// has 7 x 7, of which the centre counts.
TEST_F(WindowDataTest, PadsWhatLiesOutsideAndSubtractsTheCentreOfTheMean) {
  write_file(folder_ + "windows", "# 0 0.png 3 6 8 1\n1 0.7 0 0 2 2\n");
  BlobProto mean;
  for (const int extent : {1, 3, 7, 7}) mean.mutable_shape()->add_dim(extent);
  for (int c = 0; c < 3; ++c)
    for (int i = 0; i < 49; ++i) mean.add_data(static_cast<float>(100 * c + i));
  write_file(folder_ + "mean.binaryproto", mean.SerializeAsString());
  const std::string fields = "batch_size: 1 fg_fraction: 1 context_pad: 1 crop_mode: 'square'";
  const auto plain = net(fields, "crop_size: 5");
  plain->forward(0);
  const std::vector<float> pixels = plain->read("x");
  const auto made =
      net(fields, "crop_size: 5 mean_file: '" + folder_ + "mean.binaryproto' scale: 2");
  made->forward(0);
  const std::vector<float> less = made->read("x");
  const Expected expected = caffe(0, 0, 2, 2, {6, 8}, 5, 1, true, false);
  EXPECT_EQ(expected.part, (Box{0, 0, 5, 5}));
  EXPECT_EQ(expected.size, (Extent{4, 4}));
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < 5; ++y)
      for (int x = 0; x < 5; ++x) {
        const auto at = static_cast<size_t>((c * 5 + y) * 5 + x);
        if (y < 1 || x < 1) {
          EXPECT_EQ(pixels[at], 0);
          EXPECT_EQ(less[at], 0);
          continue;
        }
        // Of a plane, bilinear resizing makes the plane at 1.25 (i + 0.5) - 0.5.
        const double row = 1.25 * (y - 0.5) - 0.5, column = 1.25 * (x - 0.5) - 0.5;
        EXPECT_NEAR(pixels[at], 20 * std::max(row, 0.0) + 2 * std::max(column, 0.0), 1.01);
        const auto subtracted = static_cast<float>(100 * c + 7 * (y + 1) + x + 1);
        EXPECT_EQ(less[at], 2 * (pixels[at] - subtracted));
      }
}

TEST_F(WindowDataTest, IsAFunctionOfSeedAndPass) {
  const std::string fields = "batch_size: 4 fg_fraction: 0.5 context_pad: 1 cache_images: true";
  const auto a = net(fields, "crop_size: 6 mirror: true"),
             b = net(fields, "crop_size: 6 mirror: true");
  std::set<std::vector<float>> different;
  for (const int64_t pass : {7, 3, 0}) {
    a->forward(pass);
    const std::vector<float> pixels = a->read("x");
    different.insert(pixels);
    b->forward(pass);
    EXPECT_EQ(b->read("x"), pixels);
  }
  EXPECT_EQ(different.size(), 3u);
}

TEST_F(WindowDataTest, SaysWhatIsWrong) {
  const auto contains = [](const std::string& what, const std::string& part) {
    EXPECT_NE(what.find(part), std::string::npos) << what;
  };
  contains(refusal("batch_size: 2 crop_mode: 'round'"), "must be \"warp\" or \"square\"");
  contains(refusal("batch_size: 2 fg_fraction: 1.5"), "must lie in [0, 1]");
  contains(refusal("batch_size: 2 crop_size: 3"), "is an old form");
  contains(refusal("batch_size: 2", ""), "crop_size must be larger than twice the context_pad 0");
  contains(refusal("batch_size: 2 context_pad: 2", "crop_size: 4"),
           "crop_size must be larger than twice the context_pad 2, got 4");
  contains(refusal("batch_size: 2", "crop_size: 3 transform { flip {} }"), "is not for windows");
  contains(refusal("batch_size: 2 fg_fraction: 0.5 fg_threshold: 0.95"),
           "wants foreground (fg_fraction 0.5), but no window");
  contains(refusal("batch_size: 2 bg_threshold: 0"), "wants background (fg_fraction 0.25)");
  contains(refusal("fg_fraction: 0.5"), "batch_size is missing");
}

}  // namespace
}  // namespace orepa
