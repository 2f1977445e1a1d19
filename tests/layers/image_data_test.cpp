#include <gtest/gtest.h>

#include "orepa/net.h"
#include "tests/data/image_files.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// Two images of one colour, R 200 G 100 B 0, one of 4 x 6 pixels and one of 8 x 8.
class ImageData : public testing::Test {
 protected:
  void SetUp() override {
    write_file(folder_ + "one.png", plain(4, 6));
    write_file(folder_ + "a b.png", plain(8, 8));
    write_file(folder_ + "list", "one.png 3\na b.png 5\n");
  }
  static std::string plain(int64_t height, int64_t width) {
    Image image;
    image.resize({height, width}, 3);
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x)
        for (int64_t c = 0; c < 3; ++c)
          image.at(y, x)[c] = static_cast<unsigned char>(200 - 100 * c);
    return png_file(image);
  }
  std::unique_ptr<Net> net(const std::string& fields, const std::string& transform = "") {
    const NetSpec spec = NetSpec::parse(
        "layer { name: 'd' type: 'ImageData' top: 'x' top: 't'\n image_data_param { source: '" +
            folder_ + "list' root_folder: '" + folder_ + "' " + fields + " }\n transform_param { " +
            transform + " } }",
        "net.prototxt");
    return std::make_unique<Net>(spec, parameters_, arena_, NetOptions{});
  }

  const std::string folder_ = test_folder();
  std::unique_ptr<Device> device_ = test_device();
  Parameters parameters_{*device_, 1, false};
  Arena arena_{*device_};
};

TEST_F(ImageData, ResizesAndTransforms) {
  const auto made = net("new_height: 2 new_width: 3 batch_size: 2", "scale: 0.5 mean_value: 10");
  EXPECT_EQ(made->samples(), 2);
  made->forward(0);
  EXPECT_EQ(made->shape("x"), (Shape{2, 3, 2, 3}));
  EXPECT_EQ(made->read("t"), (std::vector<float>{3, 5}));
  const std::vector<float> x = made->read("x");  // blue first, as in Caffe
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(x[i], (100.0f * static_cast<float>(i / 6 % 3) - 10) / 2) << i;
}

TEST_F(ImageData, IsGrayWhereItIsTold) {
  const auto made = net("is_color: false");
  made->forward(0);
  EXPECT_EQ(made->shape("x"), (Shape{1, 1, 4, 6}));
  EXPECT_NEAR(made->read("x")[0], 0.299 * 200 + 0.587 * 100, 1);
  EXPECT_EQ(net("is_color: false", "force_color: true")->shape("x")[1], 3);
}

TEST_F(ImageData, CropsBehindTheResize) {
  EXPECT_EQ(net("new_height: 16 new_width: 12", "crop_size: 10")->shape("x"),
            (Shape{1, 3, 10, 10}));
}

TEST_F(ImageData, SaysWhatIsWrong) {
  const auto refusal = [&](const std::string& fields, const std::string& transform = "") {
    return error_of([&] { net(fields, transform); });
  };
  EXPECT_NE(refusal("new_height: 2").find("new_width go together"), std::string::npos);
  EXPECT_NE(refusal("mirror: true").find("is an old form"), std::string::npos);
  EXPECT_NE(refusal("rand_skip: 2").find("rand_skip is not supported"), std::string::npos);
  EXPECT_NE(refusal("new_height: 2 new_width: 2", "transform { resize { size: 4 } }")
                .find("would resize for the second time"),
            std::string::npos);
}

}  // namespace
}  // namespace orepa
