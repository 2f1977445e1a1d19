#include "orepa/options.h"

#include <gtest/gtest.h>

#include "orepa/error.h"
#include "orepa/model_io.h"

namespace orepa {
namespace {

constexpr char kNet[] = R"(layer {
  name: "conv" type: "Convolution" bottom: "a" bottom: "b" loss_weight: 0.5 loss_weight: 2
  convolution_param {
    num_output: 8 kernel_size: 3
    kernel_size: 5 bias_term: false
    weight_filler { type: "gaussian" std: 0.25 }
  }
  pooling_param { pool: AVE }
  propagate_down: true propagate_down: false
  include { phase: TEST }
  include { stage: "deploy" }
  input_param { shape { dim: 1 dim: -9007199254740993 } }
})";

class LayerOptions : public testing::Test {
 protected:
  const NetSpec spec_ = NetSpec::parse(kNet, "net.prototxt");
  const Options layer_ = spec_.layers().front();
  const Options convolution_ = layer_.message("convolution_param");
};

// A net keeps the options of its layers, and may be built from a NetSpec that is gone by then.
TEST(Options, OutliveTheDocument) {
  Options layer;
  {
    NetSpec spec = NetSpec::parse(kNet, "net.prototxt");
    layer = spec.layers().front();
    spec = NetSpec::parse("layer { name: \"other\" }", "other.prototxt");
  }
  EXPECT_EQ(layer.string("name"), "conv");
  EXPECT_EQ(layer.message("convolution_param").integers("kernel_size")[1], 5);
  EXPECT_EQ(layer.message("convolution_param").where("num_output"), "net.prototxt:4:5");
}

TEST_F(LayerOptions, ReadsWhatIsThere) {
  EXPECT_EQ(layer_.string("type"), "Convolution");
  EXPECT_EQ(convolution_.integer("num_output"), 8);
  EXPECT_EQ(convolution_.number("num_output"), 8.0);
  EXPECT_FALSE(convolution_.flag("bias_term"));
  EXPECT_EQ(convolution_.message("weight_filler").number("std"), 0.25);
  EXPECT_EQ(layer_.message("pooling_param").choice("pool"), "AVE");
}

TEST_F(LayerOptions, ReadsDefaultsOfWhatIsAbsent) {
  EXPECT_FALSE(convolution_.has("group"));
  EXPECT_EQ(convolution_.integer("group"), 1);
  EXPECT_EQ(convolution_.choice("engine"), "DEFAULT");
  EXPECT_FALSE(layer_.has("batch_norm_param"));
  EXPECT_FLOAT_EQ(layer_.message("batch_norm_param").number("eps"), 1e-5f);
  EXPECT_FALSE(layer_.message("batch_norm_param").has("use_global_stats"));
  EXPECT_EQ(layer_.message("dropout_param").number("dropout_ratio"), 0.5);
}

TEST_F(LayerOptions, ReadsRepeatedFields) {
  EXPECT_EQ(layer_.strings("bottom"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(convolution_.integers("kernel_size"), (std::vector<int64_t>{3, 5}));
  EXPECT_EQ(layer_.numbers("loss_weight"), (std::vector<double>{0.5, 2}));
  EXPECT_EQ(layer_.numbers("propagate_down"), (std::vector<double>{1, 0}));
  ASSERT_EQ(layer_.messages("include").size(), 2u);
  EXPECT_EQ(layer_.messages("include")[1].strings("stage").front(), "deploy");
}

TEST_F(LayerOptions, CountsEntries) {
  EXPECT_TRUE(layer_.repeated("bottom"));
  EXPECT_FALSE(layer_.repeated("name"));
  EXPECT_EQ(layer_.size("bottom"), 2);
  EXPECT_EQ(layer_.size("top"), 0);
  EXPECT_EQ(layer_.size("name"), 1);
  EXPECT_FALSE(layer_.has("top"));
  EXPECT_TRUE(layer_.strings("top").empty());
}

TEST_F(LayerOptions, KeepsEveryBitOfLargeIntegers) {
  const Options shape = layer_.message("input_param").messages("shape").front();
  EXPECT_EQ(shape.integers("dim")[1], -9007199254740993);  // no double holds it
}

TEST_F(LayerOptions, RefusesFieldsThatAreNotThereOrOfAnotherType) {
  EXPECT_THROW(layer_.string("nmae"), Error);
  EXPECT_THROW(layer_.has("nmae"), Error);
  EXPECT_THROW(layer_.integer("name"), Error);
  EXPECT_THROW(layer_.string("phase"), Error);
  EXPECT_THROW(layer_.string("bottom"), Error);
  EXPECT_THROW(layer_.strings("name"), Error);
  EXPECT_THROW(convolution_.flag("num_output"), Error);
  EXPECT_THROW(convolution_.number("bias_term"), Error);
  EXPECT_THROW(convolution_.choice("num_output"), Error);
  EXPECT_THROW(convolution_.message("num_output"), Error);
  EXPECT_THROW(layer_.messages("bottom"), Error);
  EXPECT_THROW(layer_.numbers("bottom"), Error);
}

// A fraction read as an integer would be cut off without a word.
TEST_F(LayerOptions, RefusesToReadFractionsAsIntegers) {
  EXPECT_THROW(convolution_.message("weight_filler").integer("std"), Error);
  EXPECT_THROW(layer_.integers("loss_weight"), Error);
}

TEST_F(LayerOptions, KnowsWhereFieldsStood) {
  EXPECT_EQ(layer_.where(), "net.prototxt:1:1");
  EXPECT_EQ(layer_.where("type"), "net.prototxt:2:16");
  EXPECT_EQ(layer_.where("bottom", 1), "net.prototxt:2:48");
  EXPECT_EQ(convolution_.where(), "net.prototxt:3:3");
  EXPECT_EQ(convolution_.where("kernel_size", 1), "net.prototxt:5:5");
  EXPECT_EQ(layer_.messages("include")[1].where("stage"), "net.prototxt:11:13");
}

TEST_F(LayerOptions, PointsAtTheMessageWhereTheFieldIsAbsent) {
  EXPECT_EQ(convolution_.where("group"), "net.prototxt:3:3");
  EXPECT_EQ(convolution_.where("kernel_size", 2), "net.prototxt:3:3");
  EXPECT_EQ(layer_.where("top"), "net.prototxt:1:1");
  EXPECT_EQ(layer_.message("batch_norm_param").where("eps"), "net.prototxt");
}

TEST_F(LayerOptions, KeepsItsPlaceWhenTheDocumentMoves) {
  NetSpec first = NetSpec::parse(kNet, "net.prototxt");
  const Options layer = first.layers().front();
  const NetSpec moved = std::move(first);
  EXPECT_EQ(layer.where("type"), "net.prototxt:2:16");
  EXPECT_EQ(layer.string("type"), moved.layers().front().string("type"));
}

TEST(EmptyOptions, HaveNothing) {
  const Options empty;
  EXPECT_FALSE(empty.has("anything"));
  EXPECT_EQ(empty.where(), "");
  EXPECT_THROW(empty.string("anything"), Error);
}

}  // namespace
}  // namespace orepa
