// orepa_tool classify, and that its images are those of a Data layer.
#include "orepa.pb.h"
#include "orepa/model.h"
#include "tests/data/image_files.h"
#include "tests/error_of.h"
#include "tests/tools/tool_fixture.h"
#include "tools/input_images.h"
#include "tools/report/json_files.h"

namespace orepa {
namespace {

using tool::Json;

class InputImagesTest : public testing::Test {
 protected:
  std::string add(const std::string& name, const std::string& content) {
    write_file(folder_ + name, content);
    list_ += folder_ + name + " 0\n";
    paths_.push_back(folder_ + name);
    return folder_ + name;
  }
  // The first numbers that differ, or nothing.
  std::string difference(const std::string& transform) {
    write_file(folder_ + "list", list_);
    const NetSpec spec = NetSpec::parse(
        "layer { name: 'data' type: 'Data' top: 'data' data_param { backend: LIST source: '" +
            folder_ + "list' batch_size: 1 } transform_param { " + transform + " } }",
        "net");
    const std::unique_ptr<Device> device = make_device("cpu");
    Model model(spec, *device);
    const Shape shape = model.net.shape("data");
    tool::InputImages images(paths_, spec.layers()[0].message("transform_param"), {},
                             {shape[1], shape[2], shape[3]});
    for (int64_t i = 0; i < images.size(); ++i)
      if (model.run({}).at("data") != images.read(i)) return paths_[static_cast<size_t>(i)];
    return "";
  }

  std::string folder_ = test_folder(), list_;
  std::vector<std::string> paths_;
};

TEST_F(InputImagesTest, AreWhatADataLayerMakes) {
  add("a.jpg", jpeg_file(picture({40, 52})));
  add("b.png", png_file(picture({33, 31})));
  add("grey.jpg", jpeg_file(picture({36, 36}, 1)));
  EXPECT_EQ(difference("crop_size: 20 mirror: true mean_value: [104, 117, 123] scale: 0.017"), "");
  EXPECT_EQ(difference("color_order: RGB transform { resize { shorter_side: 17 } } "
                       "transform { center_crop { size: 16 } } "
                       "transform { normalize { mean: [1, 2, 3] deviation: [4, 5, 6] } }"),
            "");
  EXPECT_EQ(difference("force_gray: true crop_size: 20 mean_value: 9"), "");
}

TEST_F(InputImagesTest, ArePaddedAsThoseOfADataLayer) {
  add("a.png", png_file(picture({12, 12})));
  EXPECT_EQ(difference("pad: 3 crop_size: 16 mean_value: [104, 117, 123]"), "");
}

TEST_F(InputImagesTest, LessTheMeanImageOfADataLayer) {
  add("a.png", png_file(picture({12, 12})));
  BlobProto mean;
  for (const int extent : {1, 3, 12, 12}) mean.mutable_shape()->add_dim(extent);
  for (int i = 0; i < 3 * 12 * 12; ++i) mean.add_data(static_cast<float>(i * 7 % 250));
  write_file(folder_ + "mean.binaryproto", mean.SerializeAsString());
  EXPECT_EQ(difference("crop_size: 9 mean_file: '" + folder_ + "mean.binaryproto'"), "");
}

TEST_F(InputImagesTest, SayWhatIsWrong) {
  const std::string small = add("small.png", png_file(picture({9, 9})));
  const Options none = NetSpec::parse("layer { name: 'x' type: 'Data' }", "net")
                           .layers()[0]
                           .message("transform_param");
  tool::InputImages images({small, folder_ + "absent.png"}, none, {}, {3, 8, 8});
  EXPECT_NE(
      error_of([&] { images.read(0); }).find(small + ": becomes 9 x 9 pixels, expected 8 x 8"),
      std::string::npos);
  EXPECT_NE(error_of([&] { images.read(1); }).find("absent.png"), std::string::npos);
  EXPECT_NE(error_of([&] {
              tool::InputImages({small}, none, {}, {4, 8, 8});
            }).find("wants images of 4 channels"),
            std::string::npos);
}

class ClassifyTest : public ToolTest {
 protected:
  void SetUp() override {
    make_task(40);
    ASSERT_EQ(run({"train", "--solver", solver_}), kDone) << output_;
    ASSERT_EQ(run({"convert", "--model", net_, "--weights", folder_ + "snap_iter_40.caffemodel",
                   "--output", folder_ + "deploy.prototxt", "--output_weights",
                   folder_ + "deploy.caffemodel"}),
              kDone)
        << output_;
    Image image;
    image.resize({8, 8}, 1);
    for (const int level : {40, 220}) {
      std::fill(image.pixels.begin(), image.pixels.end(), static_cast<unsigned char>(level));
      file(std::to_string(level) + ".png", png_file(image));
    }
    file("names", "dark\nbright\n");
  }
  int classify(const std::vector<std::string>& more) {
    std::vector<std::string> words{"classify", "--model", folder_ + "deploy.prototxt", "--weights",
                                   folder_ + "deploy.caffemodel"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  const std::string dark_ = folder_ + "40.png", bright_ = folder_ + "220.png";
};

TEST_F(ClassifyTest, NamesTheLikeliestClasses) {
  ASSERT_EQ(classify({"--train_val", net_, "--labels", folder_ + "names", bright_, dark_}), kDone)
      << output_;
  const size_t bright = output_.find("220.png  bright"), dark = output_.find("40.png   dark");
  EXPECT_LT(bright, dark) << output_;
  EXPECT_NE(dark, std::string::npos) << output_;

  // The same transforms from a file of their own; more images than are run at a time.
  const std::string transform = file("transform", "mean_value: 110 # grey\nscale: 0.01 # last");
  std::vector<std::string> words{"--transform", transform, "--json"};
  for (int i = 0; i < 40; ++i) words.push_back(i % 3 == 0 ? dark_ : bright_);
  ASSERT_EQ(classify(words), kDone) << output_;
  const Json results = Json::parse(output_.substr(output_.find("[\n")));
  ASSERT_EQ(results.size(), 40u);
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(results[i]["image"], i % 3 == 0 ? dark_ : bright_);
    const Json& classes = results[i]["classes"];
    ASSERT_EQ(classes.size(), 2u);
    EXPECT_EQ(classes[0]["label"], i % 3 == 0 ? 0 : 1);
    EXPECT_EQ(classes[0]["name"], i % 3 == 0 ? "0" : "1");
    EXPECT_GT(classes[0]["probability"].get<double>(), 0.5);
    EXPECT_NEAR(classes[0]["probability"].get<double>() + classes[1]["probability"].get<double>(),
                1, 1e-6);
  }
}

TEST_F(ClassifyTest, NamesABrokenImageAndShowsTheOthers) {
  const std::string broken = file("broken.png", read_file(dark_).substr(0, 50));
  EXPECT_EQ(classify({"--train_val", net_, broken, bright_}), kFailed);
  EXPECT_SAYS("orepa_tool: " + broken + ": ");
  EXPECT_SAYS("220.png  1");
  EXPECT_SAYS("1 of 2 images could not be classified");
}

TEST_F(ClassifyTest, SaysWhatItNeeds) {
  EXPECT_EQ(classify({dark_}), kUsage);
  EXPECT_SAYS("--train_val F");
  EXPECT_SAYS("--transform F");
  EXPECT_EQ(classify({"--train_val", folder_ + "deploy.prototxt", dark_}), kFailed);
  EXPECT_SAYS("has no layer of type Data or ImageData");
  EXPECT_EQ(classify({"--transform", file("bad", "\nmean_valeu: 3"), dark_}), kFailed);
  EXPECT_SAYS("bad:2:1: ");
  EXPECT_EQ(classify({"--train_val", net_, "--labels", file("three", "a\nb\nc\n"), dark_}),
            kFailed);
  EXPECT_SAYS("has 3 lines, but the net has 2 classes");
}

}  // namespace
}  // namespace orepa
