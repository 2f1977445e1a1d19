// Merging, on nets written for one thing each and on 1,000 random ones.
#include "reparam/merge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "io/text/print_text.h"
#include "orepa/net.h"
#include "reparam/deploy.h"
#include "tests/comparison.h"
#include "tests/reparam/random_net.h"
#include "tests/reparam/random_values.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

constexpr bool kMergeAll = true;

// A net with weights as if trained, and the same one merged.
class Merged {
 public:
  Merged(const std::string& layers, const std::string& input, bool merge_all = false)
      : Merged(NetSpec::parse("layer { name: 'x' type: 'Input' top: 'x' input_param { shape { " +
                                  input + " } } }\n" + layers,
                              "net"),
               5, merge_all) {}
  Merged(NetSpec before, uint64_t seed, bool merge_all)
      : device_(test_device({Algorithm::kDirect})),
        before_(std::move(before)),
        parameters_(*device_, seed, false) {
    Arena arena(*device_);
    NetOptions options = direct();
    options.keep = {};
    for (const LayerParameter& layer : before_.proto().layer())
      for (const std::string& top : layer.top()) options.keep.push_back(top);
    Net net(before_, parameters_, arena, options);
    fill_as_trained(parameters_, seed);
    const std::vector<float> x = random_input(net.shape("x"));
    wanted_ = values(net, x, options.keep);
    merged_ = merge(
        test_layers(before_), parameters_, [&](const std::string& blob) { return net.shape(blob); },
        merge_all);

    const NetSpec after(merged_.net);
    Parameters parameters(*device_, seed, false);
    Arena other(*device_);
    Net plain(after, parameters, other, direct());
    for (const auto& parameter : parameters.all())
      parameters.write(*parameter, merged_.values.at(parameter->path()));
    std::vector<std::string> outputs;
    for (const Net::Blob& output : plain.outputs()) outputs.push_back(output.name);
    got_ = values(plain, x, outputs);
    EXPECT_EQ(outputs.size(), net.outputs().size());
  }

  const MergedNet& net() const { return merged_; }
  std::vector<std::string> types() const {
    std::vector<std::string> types;
    for (const LayerParameter& layer : merged_.net.layer())
      if (layer.type() != "Input") types.push_back(layer.type());
    return types;
  }
  const LayerParameter& layer(int i) const { return merged_.net.layer(i + 1); }
  // "name: reason" of what is left.
  std::string left() const {
    std::string all;
    for (const ConvertReport::Left& left : merged_.left)
      all += left.layer + ": " + left.reason + "\n";
    return all;
  }

  // The largest difference of all outputs, relative to the largest number of each; NaN where they
  // are not of one size.
  double error() const {
    double most = 0;
    for (const auto& [output, values] : got_) {
      const auto renamed = merged_.original_names.find(output);
      const std::vector<float>& wanted =
          wanted_.at(renamed == merged_.original_names.end() ? output : renamed->second);
      const double difference = largest_difference(values, wanted);
      if (difference != 0 && !(difference <= most * largest(wanted)))
        most = difference / largest(wanted);
    }
    return most;
  }

 private:
  static NetOptions direct() {
    NetOptions options;
    return options;
  }
  static std::vector<float> random_input(const Shape& shape) {
    Filler filler;
    filler.type = "gaussian";
    std::vector<float> x(static_cast<size_t>(shape.count()));
    filler.fill(shape, 1, "x", x.data());
    return x;
  }
  static std::map<std::string, std::vector<float>> values(Net& net, const std::vector<float>& x,
                                                          const std::vector<std::string>& blobs) {
    net.set("x", x);
    net.prepare();
    net.forward(0);
    std::map<std::string, std::vector<float>> all;
    for (const std::string& blob : blobs) all[blob] = net.read(blob);
    return all;
  }

  std::unique_ptr<Device> device_;
  NetSpec before_;
  Parameters parameters_;
  MergedNet merged_;
  std::map<std::string, std::vector<float>> wanted_, got_;  // by blob
};

// Folding is in double and rounds each weight once; what is left is float32's rounding in another
// order of operations: 6e-8 times the square root of some hundred terms, a few layers deep.
constexpr double kTolerance = 1e-5;

const std::string kImage = "dim: 2 dim: 4 dim: 7 dim: 6";

std::string convolution(const std::string& name, const std::string& bottom,
                        const std::string& fields) {
  return text("layer { name: '", name, "' type: 'Convolution' bottom: '", bottom, "' top: '", name,
              "' convolution_param { ", fields, " } }\n");
}
std::string layer(const std::string& name, const std::string& type, const std::string& bottoms,
                  const std::string& fields = "") {
  return text("layer { name: '", name, "' type: '", type, "' ", bottoms, " top: '", name, "' ",
              fields, " }\n");
}
std::string batch_norm(const std::string& name, const std::string& bottom) {
  return layer(name, "BatchNorm", "bottom: '" + bottom + "'") +
         layer(name + "s", "Scale", "bottom: '" + name + "'", "scale_param { bias_term: true }");
}

using Types = std::vector<std::string>;

TEST(Merge, AddsBranchesThatStartAtOneValue) {
  const Merged merged(
      convolution("a", "x", "num_output: 4 kernel_size: 3 pad: 1") +
          convolution("b", "x", "num_output: 4 kernel_size: 1 bias_term: false") +
          batch_norm("n", "x") +
          layer("sum", "Eltwise", "bottom: 'a' bottom: 'b' bottom: 'ns' bottom: 'x'",
                "eltwise_param { coeff: 1 coeff: -2 coeff: 0.5 coeff: 3 }"),
      kImage);
  EXPECT_EQ(merged.types(), Types{"Convolution"});
  EXPECT_EQ(merged.layer(0).name(), "sum");
  EXPECT_EQ(merged.layer(0).top(0), "sum");
  EXPECT_LE(merged.error(), kTolerance);
  ASSERT_EQ(merged.net().rows.size(), 1u);
  EXPECT_EQ(merged.net().rows[0].parts, "4 branches");
  EXPECT_EQ(merged.net().rows[0].branches[2].parts, "BatchNorm + Scale");
  EXPECT_EQ(merged.net().rows[0].branches[3].parts, "identity");
  EXPECT_EQ(merged.left(), "");
}

TEST(Merge, KeepsTheRestOfASum) {
  const Merged merged(layer("y", "TanH", "bottom: 'x'") +
                          convolution("a", "x", "num_output: 4 kernel_size: 3 pad: 1") +
                          convolution("b", "x", "num_output: 4 kernel_size: 1") +
                          layer("sum", "Eltwise", "bottom: 'a' bottom: 'y' bottom: 'b'",
                                "eltwise_param { coeff: 2 coeff: 3 coeff: 4 }"),
                      kImage);
  EXPECT_EQ(merged.types(), (Types{"TanH", "Convolution", "Eltwise"}));
  EXPECT_LE(merged.error(), kTolerance);
  EXPECT_EQ(merged.left(), "");
}

TEST(Merge, KeepsResidualSumsWhoseBranchesStartElsewhere) {
  const Merged merged(convolution("a", "x", "num_output: 4 kernel_size: 3 pad: 1") +
                          layer("r", "ReLU", "bottom: 'a'") +
                          convolution("b", "r", "num_output: 4 kernel_size: 3 pad: 1") +
                          layer("sum", "Eltwise", "bottom: 'b' bottom: 'x'"),
                      kImage);
  EXPECT_EQ(merged.types(), (Types{"Convolution", "ReLU", "Convolution", "Eltwise"}));
  EXPECT_EQ(merged.net().rows.size(), 0u);
  EXPECT_EQ(merged.left(), "");
}

TEST(Merge, LeavesWhatZeroPaddingWouldSpoil) {
  const Merged merged(convolution("a", "x", "num_output: 4 kernel_size: 1") +
                          convolution("b", "a", "num_output: 4 kernel_size: 3 pad: 1") +
                          convolution("c", "b", "num_output: 4 kernel_size: 3 pad: 1"),
                      kImage, kMergeAll);
  EXPECT_EQ(merged.types(), (Types{"Convolution", "Convolution", "Convolution"}));
  EXPECT_NE(merged.left().find("b: it pads with zeros where the layers before it give their bias"),
            std::string::npos)
      << merged.left();
  EXPECT_NE(merged.left().find("c: it pads with zeros what the kernel before it"),
            std::string::npos);
}

TEST(Merge, LeavesAveragesOfClippedWindows) {
  const std::string pool = "pooling_param { pool: AVE kernel_size: 3 stride: 2 }";
  const Merged clipped(convolution("a", "x", "num_output: 4 kernel_size: 1") +
                           layer("p", "Pooling", "bottom: 'a'", pool),
                       "dim: 2 dim: 4 dim: 8 dim: 8", kMergeAll);
  EXPECT_EQ(clipped.types(), (Types{"Convolution", "Pooling"}));
  const Merged whole(convolution("a", "x", "num_output: 4 kernel_size: 1") +
                         layer("p", "Pooling", "bottom: 'a'", pool),
                     "dim: 2 dim: 4 dim: 9 dim: 9", kMergeAll);
  EXPECT_EQ(whole.types(), Types{"Convolution"});
  EXPECT_LE(whole.error(), kTolerance);
}

TEST(Merge, LeavesWhatOneConvolutionWouldMakeSlower) {
  const std::string separable =
      convolution("depthwise", "x", "num_output: 4 group: 4 kernel_size: 3 pad: 1") +
      batch_norm("n", "depthwise") + convolution("pointwise", "ns", "num_output: 6 kernel_size: 1");
  const Merged two(separable, kImage);
  EXPECT_EQ(two.types(), (Types{"Convolution", "Convolution"}));
  EXPECT_LE(two.error(), kTolerance);
  EXPECT_NE(two.left().find("pointwise: one convolution would need 3.6 times"), std::string::npos)
      << two.left();
  // Beside a full convolution it costs nothing.
  const Merged block(separable + convolution("full", "x", "num_output: 6 kernel_size: 3 pad: 1") +
                         layer("sum", "Eltwise", "bottom: 'full' bottom: 'pointwise'"),
                     kImage);
  EXPECT_EQ(block.types(), Types{"Convolution"});
  EXPECT_LE(block.error(), kTolerance);
}

TEST(Merge, LeavesBatchNormThatFollowsNothingLinearOrSharesItsInput) {
  const Merged merged(layer("r", "ReLU", "bottom: 'x'") + batch_norm("n", "r") +
                          convolution("c", "ns", "num_output: 4 kernel_size: 3 pad: 1") +
                          batch_norm("m", "c") + layer("t", "TanH", "bottom: 'c'"),
                      kImage);
  EXPECT_EQ(merged.types(),
            (Types{"ReLU", "BatchNorm", "Scale", "Convolution", "BatchNorm", "Scale", "TanH"}));
  EXPECT_LE(merged.error(), kTolerance);
  EXPECT_NE(merged.left().find("n: the layer before it is not linear"), std::string::npos);
  EXPECT_NE(merged.left().find("m: what it normalises has other readers too"), std::string::npos);
}

TEST(Merge, TakesBiasesAndLinearPowersInWhereTheBordersAllowIt) {
  const std::string shift =
      layer("p", "Power", "bottom: 'x'", "power_param { scale: 2 shift: -1 }");
  const std::string behind = layer("b", "Bias", "bottom: 'c'") +
                             layer("q", "Power", "bottom: 'b'", "power_param { scale: 0.5 }") +
                             layer("s", "Power", "bottom: 'q'", "power_param { power: 2 }");
  const Merged all(shift + convolution("c", "p", "num_output: 3 kernel_size: 3") + behind, kImage);
  EXPECT_EQ(all.types(), (Types{"Convolution", "Power"}));
  EXPECT_LE(all.error(), kTolerance);
  const Merged padded(shift + convolution("c", "p", "num_output: 3 kernel_size: 3 pad: 1") + behind,
                      kImage);
  EXPECT_EQ(padded.types(), (Types{"Power", "Convolution", "Power"}));
  EXPECT_LE(padded.error(), kTolerance);
}

TEST(Merge, TurnsALonePaddedBatchNormIntoAConvolution) {
  const Merged merged(layer("r", "ReLU", "bottom: 'x'") +
                          layer("n", "BatchNormPad", "bottom: 'r'", "batch_norm_param { pad: 2 }"),
                      kImage);
  EXPECT_EQ(merged.types(), (Types{"ReLU", "Convolution"}));
  EXPECT_EQ(merged.layer(1).convolution_param().group(), 4u);
  EXPECT_LE(merged.error(), kTolerance);
}

// The branch reads x before the layer in place changes it; their sum comes after.
TEST(Merge, ReadsWhatALayerInPlaceOverwrites) {
  const Merged merged(
      layer("y", "TanH", "bottom: 'x'") + convolution("a", "y", "num_output: 4 kernel_size: 1") +
          convolution("b", "y", "num_output: 4 kernel_size: 3 pad: 1") +
          "layer { name: 'r' type: 'ReLU' bottom: 'y' top: 'y' }\n" +
          convolution("c", "y", "num_output: 4 kernel_size: 1") +
          layer("t", "Sigmoid", "bottom: 'c'") + layer("sum", "Eltwise", "bottom: 'a' bottom: 'b'"),
      kImage);
  EXPECT_EQ(merged.types(), (Types{"TanH", "ReLU", "Convolution", "Sigmoid", "Convolution"}));
  EXPECT_LE(merged.error(), kTolerance);
}

// An Eltwise takes 16 bottoms.
TEST(Merge, LeavesLongSumsApart) {
  std::string layers, sum = "r0";
  for (int i = 0; i < 18; ++i) {
    const std::string name = text("r", i), total = text("s", i);
    layers += layer(name, "TanH", "bottom: 'x'");
    if (i > 0) layers += layer(total, "Eltwise", "bottom: '" + sum + "' bottom: '" + name + "'");
    if (i > 0) sum = total;
  }
  EXPECT_LE(Merged(layers, kImage).error(), kTolerance);
}

// Sums in the branches of sums, each with a term of its own that stays.
TEST(Merge, TakesSumsInAnyNesting) {
  std::string layers = layer("s0", "TanH", "bottom: 'x'");
  for (int i = 1; i < 300; ++i) {
    const std::string name = text("s", i), before = text("s", i - 1);
    layers += convolution(text("c", i), before, "num_output: 4 kernel_size: 1") +
              layer(text("r", i), "Sigmoid", "bottom: 'x'") +
              layer(name, "Eltwise", text("bottom: 'c", i, "' bottom: 'r", i, "'"),
                    "eltwise_param { coeff: 0.1 coeff: 0.1 }");
  }
  const Merged merged(layers, "dim: 1 dim: 4 dim: 2 dim: 2");
  EXPECT_EQ(merged.types().size(), 1u + 3 * 299);
  EXPECT_LE(merged.error(), kTolerance);
}

TEST(Merge, ReadsThroughDropout) {
  const std::string a = convolution("a", "x", "num_output: 4 kernel_size: 3"),
                    drop = layer("drop", "Dropout", "bottom: 'a'");
  const Merged norm(a + drop + batch_norm("n", "drop"), kImage);
  EXPECT_EQ(norm.types(), Types{"Convolution"});
  EXPECT_LE(norm.error(), kTolerance);
  // What writes over the Dropout's top, and what writes over its bottom.
  const Merged over(a + drop + "layer { name: 't' type: 'TanH' bottom: 'drop' top: 'drop' }\n" +
                        convolution("b", "drop", "num_output: 4 kernel_size: 1"),
                    kImage);
  EXPECT_EQ(over.types(), (Types{"Convolution", "TanH", "Convolution"}));
  EXPECT_LE(over.error(), kTolerance);
  const Merged under(a + drop + "layer { name: 't' type: 'TanH' bottom: 'a' top: 'a' }\n" +
                         layer("sum", "Eltwise", "bottom: 'drop' bottom: 'a'"),
                     kImage);
  EXPECT_EQ(under.types(), (Types{"Convolution", "TanH", "Eltwise"}));
  EXPECT_LE(under.error(), kTolerance);
}

// It is an output by its own name, or one beside other readers of its bottom.
TEST(Merge, KeepsADropoutThatMakesAnOutput) {
  const std::string a = convolution("a", "x", "num_output: 4 kernel_size: 3"),
                    b = convolution("b", "a", "num_output: 4 kernel_size: 3 pad: 1"),
                    relu = "layer { name: 'r' type: 'ReLU' bottom: 'a' top: 'a' }\n",
                    in_place = "layer { name: 'd' type: 'Dropout' bottom: 'a' top: 'a' }\n";
  EXPECT_EQ(Merged(a + layer("d", "Dropout", "bottom: 'a'"), kImage).types(),
            (Types{"Convolution", "Dropout"}));
  EXPECT_EQ(Merged(a + relu + b + in_place, kImage).types(),
            (Types{"Convolution", "ReLU", "Convolution", "Dropout"}));
  EXPECT_EQ(Merged(a + relu + in_place, kImage).types(), (Types{"Convolution", "ReLU"}));
}

// --- names and identities -----------------------------------------------------------------------

const std::string kConvolution = "num_output: 4 kernel_size: 3 pad: 1";

TEST(Merge, KeepsTheIdentityOfAPartialSum) {
  const Merged merged(convolution("conv", "x", kConvolution) +
                          layer("relu", "ReLU", "bottom: 'x'") +
                          layer("sum", "Eltwise", "bottom: 'x' bottom: 'conv' bottom: 'relu'"),
                      kImage);
  EXPECT_EQ(merged.types(), (Types{"ReLU", "Convolution", "Eltwise"}));
  EXPECT_EQ(merged.layer(1).name(), "conv");
  EXPECT_EQ(merged.layer(1).top(0), "conv_part");
  EXPECT_LE(merged.error(), kTolerance);
}

TEST(Merge, AddsABlobThatStandsTwiceInASum) {
  const std::string twice =
      layer("p", "Pooling", "bottom: 'x'", "pooling_param { pool: AVE kernel_size: 2 stride: 2 }") +
      convolution("dw", "p", "num_output: 4 kernel_size: 1 group: 4") +
      layer("block", "Eltwise", "bottom: 'p' bottom: 'dw'");
  const Merged all(twice + layer("residual", "Eltwise", "bottom: 'p' bottom: 'block'"),
                   "dim: 2 dim: 4 dim: 8 dim: 8");
  EXPECT_EQ(all.types(), (Types{"Pooling", "Convolution"}));
  EXPECT_LE(all.error(), kTolerance);
  // Beside a term that stays: alone, what stands twice computes nothing.
  const Merged some(layer("r", "ReLU", "bottom: 'x'") + convolution("c", "r", kConvolution) +
                        layer("sum", "Eltwise", "bottom: 'x' bottom: 'c' bottom: 'x'",
                              "eltwise_param { coeff: 2 coeff: 3 coeff: -4 }"),
                    kImage);
  EXPECT_EQ(some.types(), (Types{"ReLU", "Convolution", "Eltwise"}));
  EXPECT_LE(some.error(), kTolerance);
}

// The shortcut's normalisation comes behind the ReLU in place, and so does the merged layer.
TEST(Merge, RenamesBothWritersOfABlobThatIsReadInBetween) {
  const Merged merged(
      layer("y", "TanH", "bottom: 'x'") +
          "layer { name: 'bn' type: 'BatchNorm' bottom: 'y' top: 'pre' }\n"
          "layer { name: 'scale' type: 'Scale' bottom: 'pre' top: 'pre' }\n" +
          convolution("shortcut", "pre", "num_output: 4 kernel_size: 1") +
          "layer { name: 'relu' type: 'ReLU' bottom: 'pre' top: 'pre' }\n"
          "layer { name: 'n' type: 'BatchNorm' bottom: 'shortcut' top: 'shortcut' }\n" +
          convolution("conv", "pre", kConvolution) + layer("conv_relu", "ReLU", "bottom: 'conv'") +
          layer("pre_scale", "Eltwise", "bottom: 'conv_relu' bottom: 'shortcut'"),
      kImage);
  EXPECT_EQ(merged.types(), (Types{"TanH", "BatchNorm", "Scale", "ReLU", "Convolution",
                                   "Convolution", "ReLU", "Eltwise"}));
  // "pre_scale" is in use.
  EXPECT_EQ(merged.layer(2).top(0), "pre_scale_2");
  EXPECT_EQ(merged.layer(1).top(0), "pre_scale_2");
  EXPECT_EQ(merged.layer(3).top(0), "pre");
  EXPECT_LE(merged.error(), kTolerance);
}

// Caffe clears the top of a convolution before it reads the bottom.
TEST(Merge, WritesNoConvolutionInPlace) {
  const Merged merged(
      layer("y", "TanH", "bottom: 'x'") +
          "layer { name: 'c' type: 'Convolution' bottom: 'y' top: 'y' convolution_param { "
          "num_output: 4 kernel_size: 1 } }\n"
          "layer { name: 'r' type: 'ReLU' bottom: 'y' top: 'y' }\n"
          "layer { name: 's' type: 'Eltwise' bottom: 'y' bottom: 'x' top: 'y' }\n",
      kImage);
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(merged.layer(i).bottom(0) == merged.layer(i).top(0), merged.layer(i).type() == "ReLU")
        << i;
  EXPECT_EQ(merged.layer(3).top(0), "y");
  EXPECT_LE(merged.error(), kTolerance);
}

// --- what is worth it ---------------------------------------------------------------------------

// A chain that is too large as one convolution is left where it is; the branches beside it merge.
TEST(Merge, AddsBranchesBesideAChainThatStays) {
  const Merged merged(
      convolution("depthwise", "x", "num_output: 16 kernel_size: 3 pad: 1 group: 16") +
          convolution("pointwise", "depthwise", "num_output: 16 kernel_size: 1") +
          convolution("one", "x", "num_output: 16 kernel_size: 1") + batch_norm("n", "x") +
          layer("sum", "Eltwise", "bottom: 'pointwise' bottom: 'one' bottom: 'ns'"),
      "dim: 2 dim: 16 dim: 7 dim: 6");
  EXPECT_EQ(merged.types(), (Types{"Convolution", "Convolution", "Convolution", "Eltwise"}));
  EXPECT_LE(merged.error(), kTolerance);
}

// A depthwise convolution in front of a pointwise one stays by itself, be it plain or a block.
TEST(Merge, LeavesNeighboursOfABlockAsThoseOfAPlainConvolution) {
  const std::string depthwise =
      convolution("a", "x", "num_output: 4 kernel_size: 3 pad: 1 group: 4");
  const std::string pointwise = "num_output: 4 kernel_size: 1";
  const Merged plain(depthwise + convolution("b", "a", pointwise), kImage);
  const Merged block(depthwise + convolution("a1", "x", "num_output: 4 kernel_size: 1 group: 4") +
                         layer("sum", "Eltwise", "bottom: 'a' bottom: 'a1'") +
                         convolution("b", "sum", pointwise),
                     kImage);
  for (const Merged* merged : {&plain, &block}) {
    EXPECT_EQ(merged->types(), (Types{"Convolution", "Convolution"}));
    EXPECT_LE(merged->error(), kTolerance);
    EXPECT_EQ(merged->left(),
              "b: one convolution would need 2.8 times the multiply-accumulates of these "
              "layers\n");
  }
}

// 4 -> 2 -> 16 channels cost less than 4 -> 16.
TEST(Merge, LeavesALinearBottleneckUnlessAllIsToBeMerged) {
  const std::string net = layer("r", "ReLU", "bottom: 'x'") +
                          convolution("project", "r", "num_output: 2 kernel_size: 1") +
                          batch_norm("n", "project") +
                          convolution("expand", "ns", "num_output: 16 kernel_size: 1");
  const Merged apart(net, kImage);
  EXPECT_EQ(apart.types(), (Types{"ReLU", "Convolution", "Convolution"}));
  EXPECT_EQ(apart.left(),
            "expand: one convolution would need 1.60 times the multiply-accumulates of these "
            "layers\n");
  const Merged one(net, kImage, kMergeAll);
  EXPECT_EQ(one.types(), (Types{"ReLU", "Convolution"}));
  for (const Merged* merged : {&apart, &one}) EXPECT_LE(merged->error(), kTolerance);
}

TEST(Merge, MergesASequenceThatIsCheaperAsOne) {
  const Merged merged(convolution("expand", "x", "num_output: 32 kernel_size: 1 bias_term: false") +
                          convolution("wide", "expand", "num_output: 32 kernel_size: 3 pad: 1") +
                          convolution("narrow", "wide", "num_output: 4 kernel_size: 1"),
                      kImage);
  EXPECT_EQ(merged.types(), Types{"Convolution"});
  EXPECT_LE(merged.error(), kTolerance);
}

// The one block that costs more as one layer: its branches would not merge in sequence.
TEST(Merge, MakesOneLayerOfABlockOfSequences) {
  const Merged merged(convolution("down", "x", "num_output: 2 kernel_size: 1") +
                          convolution("up", "down", "num_output: 4 kernel_size: 1") +
                          layer("sum", "Eltwise", "bottom: 'up' bottom: 'x'"),
                      kImage);
  EXPECT_EQ(merged.types(), Types{"Convolution"});
  EXPECT_LE(merged.error(), kTolerance);
}

// --- what is N x C ------------------------------------------------------------------------------

std::string inner_product(const std::string& name, const std::string& bottom,
                          const std::string& fields) {
  return layer(name, "InnerProduct", "bottom: '" + bottom + "'",
               "inner_product_param { " + fields + " }");
}

TEST(Merge, FoldsNormalisationsIntoInnerProducts) {
  for (const char* input : {"dim: 3 dim: 5", "dim: 3 dim: 5 dim: 4 dim: 2"})
    for (const char* fields : {"num_output: 6", "num_output: 6 transpose: true bias_term: false"}) {
      const Merged merged(batch_norm("before", "x") + inner_product("fc", "befores", fields) +
                              batch_norm("behind", "fc"),
                          input);
      EXPECT_EQ(merged.types(), Types{"InnerProduct"}) << input << fields << merged.left();
      EXPECT_EQ(merged.layer(0).name(), "fc");
      EXPECT_EQ(merged.layer(0).top(0), "behinds");
      EXPECT_EQ(merged.net().rows[0].parts, "BatchNorm + Scale + InnerProduct + BatchNorm + Scale");
      EXPECT_LE(merged.error(), kTolerance) << input << fields;
    }
}

TEST(Merge, MergesInnerProductsInSequenceWhereTheyAreCheaperAsOne) {
  const std::string wide = inner_product("a", "x", "num_output: 9") +
                           inner_product("b", "a", "num_output: 4"),
                    narrow = inner_product("a", "x", "num_output: 2") +
                             inner_product("b", "a", "num_output: 40");
  for (const char* input : {"dim: 3 dim: 5", "dim: 3 dim: 5 dim: 4 dim: 2"}) {
    const Merged one(wide, input), apart(narrow, input), all(narrow, input, kMergeAll);
    EXPECT_EQ(one.types(), Types{"InnerProduct"});
    EXPECT_EQ(apart.types(), (Types{"InnerProduct", "InnerProduct"}));
    EXPECT_NE(apart.left().find("b: one InnerProduct would need "), std::string::npos);
    EXPECT_EQ(all.types(), Types{"InnerProduct"});
    for (const Merged* merged : {&one, &apart, &all}) EXPECT_LE(merged->error(), kTolerance);
  }
}

TEST(Merge, AddsBranchesOfInnerProducts) {
  const Merged merged(inner_product("a", "x", "num_output: 5") + batch_norm("n", "x") +
                          layer("sum", "Eltwise", "bottom: 'a' bottom: 'ns' bottom: 'x'",
                                "eltwise_param { coeff: 2 coeff: -1 coeff: 0.5 }"),
                      "dim: 3 dim: 5");
  EXPECT_EQ(merged.types(), Types{"InnerProduct"});
  EXPECT_LE(merged.error(), kTolerance);
}

// A convolution that pads, or leaves pixels out, is part of no InnerProduct.
TEST(Merge, MergesAConvolutionIntoAnInnerProductWhereItReadsEveryPixelOnce) {
  const std::string end = inner_product("fc", "c", "num_output: 2");
  const auto types = [&](const std::string& fields) {
    const Merged merged(convolution("c", "x", fields) + end, kImage, kMergeAll);
    EXPECT_LE(merged.error(), kTolerance) << fields;
    return merged.types();
  };
  const Types one = {"InnerProduct"}, two = {"Convolution", "InnerProduct"};
  EXPECT_EQ(types("num_output: 3 kernel_size: 1"), one);
  EXPECT_EQ(types("num_output: 3 kernel_size: 3"), one);
  EXPECT_EQ(types("num_output: 3 kernel_size: 3 pad: 1"), two);
  EXPECT_EQ(types("num_output: 3 kernel_size: 1 stride: 2"), two);
  EXPECT_EQ(types("num_output: 3 kernel_h: 1 kernel_w: 2 stride_h: 1 stride_w: 2"), one);
}

// --- random nets --------------------------------------------------------------------------------

// 100 seeds each.
class RandomNets : public testing::TestWithParam<int> {
 protected:
  static int first() { return GetParam() * 100; }
};

TEST_P(RandomNets, BlocksBecomeOneConvolutionWithTheSameNumbers) {
  for (int seed = first(); seed < first() + 100; ++seed) {
    const std::string net = RandomNet(static_cast<uint64_t>(seed)).block();
    SCOPED_TRACE(text("seed ", seed, "\n", net));
    const Merged merged(NetSpec::parse(net, "net"), static_cast<uint64_t>(seed), kMergeAll);
    ASSERT_EQ(merged.types(), Types{"Convolution"}) << merged.left();
    ASSERT_LE(merged.error(), kTolerance);
  }
}

TEST_P(RandomNets, KeepTheirNumbers) {
  for (int seed = first(); seed < first() + 100; ++seed) {
    const std::string net = RandomNet(static_cast<uint64_t>(seed)).net();
    SCOPED_TRACE(text("seed ", seed, "\n", net));
    for (const bool merge_all : {false, true}) {
      const Merged merged(NetSpec::parse(net, "net"), static_cast<uint64_t>(seed), merge_all);
      // Sums that cancel: rounding is some 3e-5 of what is left, once in 10,000 nets.
      ASSERT_LE(merged.error(), 10 * kTolerance) << print_text(merged.net().net);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomNets, testing::Range(0, random_seeds() / 100));

}  // namespace
}  // namespace orepa
