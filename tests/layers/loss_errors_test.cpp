// What losses and Embed say where they cannot be, and of labels that are none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "orepa.pb.h"
#include "orepa/net.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

using testing::HasSubstr;

// Bottoms "a", "b" and "c" of these shapes, then the layer.
std::string net_text(const std::vector<Shape>& bottoms, const std::string& layer) {
  std::string text_of_net;
  char name = 'a';
  for (const Shape& shape : bottoms) {
    std::string dims;
    for (const int64_t extent : shape.extents()) dims += text("dim: ", extent, " ");
    text_of_net += text("layer { name: '", name, "' type: 'Input' top: '", name,
                        "' input_param { shape { ", dims, "} } } ");
    ++name;
  }
  return text_of_net + "layer { name: 'it' top: 'y' " + layer + " }";
}

struct Built {
  explicit Built(const std::string& layers)
      : parameters(*device, 1, true), arena(*device), net(make(layers)) {}
  std::unique_ptr<Net> make(const std::string& layers) {
    NetOptions options;
    options.phase = Phase::kTrain;
    return std::make_unique<Net>(NetSpec::parse(layers, "bad.prototxt"), parameters, arena,
                                 options);
  }
  std::unique_ptr<Device> device = test_device();
  Parameters parameters;
  Arena arena;
  std::unique_ptr<Net> net;
};

std::string refusal(const std::vector<Shape>& bottoms, const std::string& layer) {
  return error_of([&] { Built(net_text(bottoms, layer)); });
}

TEST(LossErrors, OfBottomsThatDoNotFit) {
  for (const char* type : {"EuclideanLoss", "SmoothL1Loss", "SigmoidCrossEntropyLoss"}) {
    const std::string layer = text("type: '", type, "' bottom: 'a' bottom: 'b'");
    EXPECT_THAT(refusal({{4, 3}, {4, 2}}, layer),
                HasSubstr("layer \"it\" (" + std::string(type) +
                          "): compares bottoms number by number: bottom 0 is 4 x 3, but bottom 1 "
                          "is 4 x 2"));
    EXPECT_THAT(refusal({{4, 3}, {3, 4}}, layer), HasSubstr("bottom 1 is 3 x 4"));
    EXPECT_THAT(refusal({{}, {}}, layer), HasSubstr("bottom 0 is scalar"));
  }
  for (const char* type : {"HingeLoss", "MultinomialLogisticLoss"}) {
    const std::string layer = text("type: '", type, "' bottom: 'a' bottom: 'b'");
    EXPECT_THAT(refusal({{4, 3}, {3}}, layer), HasSubstr("needs one label a prediction, 4"));
    EXPECT_THAT(refusal({{}, {1}}, layer), HasSubstr("got a scalar"));
  }
  EXPECT_THAT(
      refusal({{4, 3}, {4, 3}, {3}}, "type: 'ContrastiveLoss' bottom: 'a' bottom: 'b' bottom: 'c'"),
      HasSubstr("needs one number a pair, whether it is similar, 4 for bottoms of 4 x 3; "
                "bottom 2 is 3"));
}

TEST(LossErrors, OfTooFewBottoms) {
  EXPECT_THAT(refusal({{4}}, "type: 'EuclideanLoss' bottom: 'a'"), HasSubstr("has 1 bottom"));
  EXPECT_THAT(refusal({{4}}, "type: 'SmoothL1Loss' bottom: 'a'"), HasSubstr("got 1"));
  EXPECT_THAT(refusal({{4}, {4}}, "type: 'ContrastiveLoss' bottom: 'a' bottom: 'b'"),
              HasSubstr("has 2 bottoms"));
}

TEST(LossErrors, OfSmoothL1) {
  const std::string layer = "type: 'SmoothL1Loss' bottom: 'a' bottom: 'b' ";
  EXPECT_THAT(refusal({{4}, {4}}, layer + "smooth_l1_loss_param { sigma: 0 }"),
              HasSubstr("sigma must be positive, got 0"));
  EXPECT_THAT(refusal({{4}, {4}, {3}}, layer + "bottom: 'c'"), HasSubstr("bottom 2 is 3"));
  EXPECT_THAT(refusal({{4}, {4}}, layer + "bottom: 'a' bottom: 'b' bottom: 'a'"),
              HasSubstr("takes two bottoms, and as a third and fourth weights"));
}

TEST(LossErrors, OfTheInfogainMatrix) {
  const std::string layer = "type: 'InfogainLoss' bottom: 'a' bottom: 'b' ";
  EXPECT_THAT(refusal({{4, 3}, {4}}, layer), HasSubstr("got 2 bottoms and no source"));
  EXPECT_THAT(
      refusal({{4, 3}, {4}, {3, 3}}, layer + "bottom: 'c' infogain_loss_param { source: 'h' }"),
      HasSubstr("got 3 bottoms and a source"));
  EXPECT_THAT(refusal({{4, 3}, {4}, {3, 4}}, layer + "bottom: 'c'"),
              HasSubstr("there are 3 classes, so that the infogain matrix must be 3 x 3; bottom 2 "
                        "is 3 x 4"));
  EXPECT_THAT(refusal({{4, 3}, {4}, {3, 3}}, layer + "bottom: 'c' infogain_loss_param { axis: 2 }"),
              HasSubstr("axis 2 does not exist"));
  const std::string path = test_folder() + "gain.binaryproto";
  const std::string from_file = text(layer, "infogain_loss_param { source: '", path, "' }");
  EXPECT_THAT(refusal({{4, 3}, {4}}, from_file), HasSubstr(path));
  write_file(path, "no protobuf");
  EXPECT_THAT(refusal({{4, 3}, {4}}, from_file), HasSubstr(path + ": is no infogain matrix"));
  BlobProto blob;
  for (int i = 0; i < 8; ++i) blob.add_data(1);
  write_file(path, blob.SerializeAsString());
  const std::string message = refusal({{4, 3}, {4}}, from_file);
  EXPECT_THAT(message, HasSubstr(path + ": has 8 numbers, but 3 classes need 3 x 3"));
  EXPECT_THAT(message, HasSubstr("bad.prototxt:1:"));
}

// The same from a file as from a bottom.
TEST(InfogainLoss, ReadsItsMatrixFromAFile) {
  const std::string path = test_folder() + "gain.binaryproto";
  BlobProto blob;
  for (const int extent : {1, 1, 3, 3}) blob.mutable_shape()->add_dim(extent);
  std::vector<float> gain;
  for (int i = 0; i < 9; ++i) gain.push_back(0.25f * static_cast<float>(i * i % 7));
  blob.mutable_data()->Add(gain.begin(), gain.end());
  write_file(path, blob.SerializeAsString());
  const std::string layer = "type: 'InfogainLoss' bottom: 'a' bottom: 'b' ";
  Built file(net_text({{2, 3}, {2}}, text(layer, "infogain_loss_param { source: '", path, "' }")));
  Built bottom(net_text({{2, 3}, {2}, {3, 3}}, layer + "bottom: 'c'"));
  bottom.net->set("c", gain);
  for (Net* net : {file.net.get(), bottom.net.get()}) {
    net->set("a", {1, -2, 0.5f, 0, 3, 1});
    net->set("b", {2, 1});
    net->prepare();
    net->forward(0);
  }
  EXPECT_GT(file.net->loss(), 0);
  EXPECT_EQ(file.net->loss(), bottom.net->loss());
}

TEST(LossErrors, OfEmbed) {
  const std::string layer = "type: 'Embed' bottom: 'a' embed_param { ";
  EXPECT_THAT(refusal({{4}}, layer + "input_dim: 3 }"), HasSubstr("num_output must be positive"));
  EXPECT_THAT(refusal({{4}}, layer + "num_output: 3 }"), HasSubstr("input_dim must be positive"));
  EXPECT_THAT(refusal({{4}}, layer + "num_output: 4294967295 input_dim: 4294967295 }"),
              HasSubstr("parameter \"weight\" would be"));
}

// The loss is not finite then, and the net says which sample it is.
TEST(LossErrors, OfLabelsThatAreNone) {
  for (const char* loss : {"type: 'HingeLoss' bottom: 'a' bottom: 'b'",
                           "type: 'MultinomialLogisticLoss' bottom: 'a' bottom: 'b'",
                           "type: 'InfogainLoss' bottom: 'a' bottom: 'b' bottom: 'c'"})
    for (const float label : {-1.0f, 3.0f}) {
      std::vector<Shape> bottoms{{2, 3}, {2}};
      if (std::string(loss).find("'c'") != std::string::npos) bottoms.push_back({3, 3});
      Built built(net_text(bottoms, loss));
      for (const Net::Blob& input : built.net->inputs())
        built.net->set(input.name, std::vector<float>(input.shape.count(), 1));
      built.net->set("b", {1, label});
      built.net->prepare();
      built.net->forward(0);
      EXPECT_TRUE(std::isnan(built.net->loss())) << loss << label;
      EXPECT_THAT(built.net->find_non_finite(), HasSubstr("is no class; there are 3"));
    }
  Built words(
      net_text({{3}}, "type: 'Embed' bottom: 'a' embed_param { input_dim: 4 num_output: 2 }"));
  words.net->set("a", {0, 4, 3});
  words.net->prepare();
  words.net->forward(0);
  const std::vector<float> y = words.net->read("y");
  EXPECT_EQ(y[0], 0);
  EXPECT_TRUE(std::isnan(y[2]) && std::isnan(y[3]));
  EXPECT_EQ(y[5], 0);
  EXPECT_THAT(words.net->find_non_finite(), HasSubstr("is no class; there are 4"));
}

}  // namespace
}  // namespace orepa
