#include <gtest/gtest.h>

#include <numeric>

#include "orepa/model.h"
#include "tests/error_of.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// Images of 2 x 1 x 2 whose numbers are 10 n + 0 ... 3.
class MemoryDataTest : public testing::Test {
 protected:
  static std::vector<float> images(int64_t count) {
    std::vector<float> values;
    for (int64_t n = 0; n < count; ++n)
      for (int i = 0; i < 4; ++i) values.push_back(static_cast<float>(10 * n + i));
    return values;
  }
  static std::vector<float> labels(int64_t count) {
    std::vector<float> values(static_cast<size_t>(count));
    std::iota(values.begin(), values.end(), 0.0f);
    return values;
  }
  static NetSpec spec(const std::string& fields = "batch_size: 2 channels: 2 height: 1 width: 2",
                      const std::string& rest = "top: 'x' top: 't'") {
    return NetSpec::parse(
        "layer { name: 'd' type: 'MemoryData' " + rest + " memory_data_param { " + fields + " } }",
        "net.prototxt");
  }
  std::string refusal(const std::string& fields, const std::string& rest = "top: 'x' top: 't'") {
    return error_of([&] { Net(spec(fields, rest), parameters_, arena_, {}); });
  }

  std::unique_ptr<Device> device_ = test_device();
  Parameters parameters_{*device_, 1, false};
  Arena arena_{*device_};
};

TEST_F(MemoryDataTest, WalksThroughItsSamplesOverAndOver) {
  Model model(spec(), *device_);
  EXPECT_EQ(model.net.batch_size(), 2);
  model.net.set("x", images(3));
  model.net.set("t", labels(3));
  EXPECT_EQ(model.run({}), (Blobs{{"x", {0, 1, 2, 3, 10, 11, 12, 13}}, {"t", {0, 1}}}));
  EXPECT_EQ(model.run({}), (Blobs{{"x", {20, 21, 22, 23, 0, 1, 2, 3}}, {"t", {2, 0}}}));
  EXPECT_EQ(model.run({}), (Blobs{{"x", {10, 11, 12, 13, 20, 21, 22, 23}}, {"t", {1, 2}}}));
  model.net.set("x", images(1));
  model.net.set("t", {7});
  EXPECT_EQ(model.run({}), (Blobs{{"x", {0, 1, 2, 3, 0, 1, 2, 3}}, {"t", {7, 7}}}));
}

TEST_F(MemoryDataTest, NeedsNoLabels) {
  Model model(spec("batch_size: 1 channels: 2 height: 1 width: 2", "top: 'x'"), *device_);
  model.net.set("x", images(2));
  EXPECT_EQ(model.run({}), (Blobs{{"x", {0, 1, 2, 3}}}));
  EXPECT_EQ(model.run({}), (Blobs{{"x", {10, 11, 12, 13}}}));
}

TEST_F(MemoryDataTest, SaysWhatIsWrong) {
  Net net(spec(), parameters_, arena_, {});
  EXPECT_EQ(error_of([&] { net.forward(0); }),
            "layer \"d\" (MemoryData): top \"x\" has no samples; they come from the program "
            "(Net::set), and orepa_tool has none: a Data, ImageData or HDF5Data layer reads files");
  EXPECT_EQ(error_of([&] { net.set("x", images(0)); }),
            "blob \"x\" was given 0 numbers, expected 4 for each of its samples");
  EXPECT_EQ(error_of([&] {
              net.set("x", {1, 2, 3, 4, 5});
            }),
            "blob \"x\" was given 5 numbers, expected 4 for each of its samples");
  net.set("x", images(3));
  net.set("t", labels(4));
  EXPECT_EQ(error_of([&] { net.forward(0); }),
            "layer \"d\" (MemoryData): top \"t\" has 4 samples, but \"x\" has 3");
  EXPECT_EQ(error_of([&] { net.set("y", {1}); }),
            "\"y\" is no top of an Input or MemoryData layer");
  EXPECT_NE(refusal("channels: 2 height: 1 width: 2").find("batch_size is missing"),
            std::string::npos);
  EXPECT_NE(
      refusal("batch_size: 1 channels: 2 width: 2").find("memory_data_param.height is missing"),
      std::string::npos);
  const std::string fields = "batch_size: 1 channels: 2 height: 1 width: 2";
  EXPECT_NE(refusal(fields, "top: 'a' top: 'b' top: 'c'").find("names 3 tops"), std::string::npos);
  EXPECT_NE(refusal(fields, "top: 'a' transform_param { scale: 2 }").find("transform_param"),
            std::string::npos);
}

}  // namespace
}  // namespace orepa
