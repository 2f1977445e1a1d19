// Merging, on nets written for one thing each and on 1,000 random ones.
#include "reparam/merge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "orepa/net.h"
#include "reparam/deploy.h"
#include "tests/comparison.h"
#include "tests/reparam/random_values.h"

namespace orepa {
namespace {

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

// A net with weights as if trained, and the same one merged.
class Merged {
 public:
  explicit Merged(const std::string& layers, const std::string& input, double most_growth = 2,
                  uint64_t seed = 5)
      : device_(make_cpu_device()),
        before_(NetSpec::parse("layer { name: 'x' type: 'Input' top: 'x' input_param { shape { " +
                                   input + " } } }\n" + layers,
                               "net")),
        parameters_(*device_, seed, false) {
    Arena arena(*device_);
    NetOptions options = direct();
    options.keep = {};
    for (const LayerParameter& layer : before_.proto().layer())
      for (const std::string& top : layer.top()) options.keep.push_back(top);
    Net net(before_, parameters_, arena, options);
    fill_as_trained(parameters_, seed);
    const std::vector<float> x = random_input(net.shape("x"));
    wanted_ = outputs(net, x);
    merged_ = merge(
        test_layers(before_), parameters_, [&](const std::string& blob) { return net.shape(blob); },
        most_growth);

    const NetSpec after(merged_.net);
    Parameters parameters(*device_, seed, false);
    Arena other(*device_);
    Net plain(after, parameters, other, direct());
    for (const auto& parameter : parameters.all())
      parameters.write(*parameter, merged_.values.at(parameter->path()));
    got_ = outputs(plain, x);
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

  // The largest difference of all outputs, relative to the largest number.
  double error() const { return largest_difference(got_, wanted_) / largest(wanted_); }

 private:
  static NetOptions direct() {
    NetOptions options;
    options.algorithm = Algorithm::kDirect;
    return options;
  }
  static std::vector<float> random_input(const Shape& shape) {
    Filler filler;
    filler.type = "gaussian";
    std::vector<float> x(static_cast<size_t>(shape.count()));
    filler.fill(shape, 1, "x", x.data());
    return x;
  }
  static std::vector<float> outputs(Net& net, const std::vector<float>& x) {
    net.set("x", x);
    net.prepare();
    net.forward(0);
    std::vector<float> all;
    for (const Net::Blob& output : net.outputs()) {
      const std::vector<float> values = net.read(output.name);
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }

  std::unique_ptr<Device> device_;
  NetSpec before_;
  Parameters parameters_;
  MergedNet merged_;
  std::vector<float> wanted_, got_;
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
                      kImage, kNoLimit);
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
                       "dim: 2 dim: 4 dim: 8 dim: 8", kNoLimit);
  EXPECT_EQ(clipped.types(), (Types{"Convolution", "Pooling"}));
  const Merged whole(convolution("a", "x", "num_output: 4 kernel_size: 1") +
                         layer("p", "Pooling", "bottom: 'a'", pool),
                     "dim: 2 dim: 4 dim: 9 dim: 9", kNoLimit);
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

// --- random nets --------------------------------------------------------------------------------

// Random linear blocks, nested, whose every branch keeps the extent of the image or divides it by
// the block's stride: what blocks look like that people train.
class RandomBlock {
 public:
  explicit RandomBlock(uint64_t seed) : random_(seed, "random block") {}

  std::string net() {
    height_ = 5 + below(5), width_ = 5 + below(5), channels_ = 2 * (1 + below(3));
    const int64_t stride = 1 + below(2), outputs = below(2) ? channels_ : 2 * (1 + below(4));
    std::string top = sum("x", channels_, outputs, stride, 0);
    if (below(2)) top = norm(top);
    return layers_;
  }
  std::string input() const {
    return text("dim: 2 dim: ", channels_, " dim: ", height_, " dim: ", width_);
  }

 private:
  int64_t below(int64_t n) { return random_.below(index_++, n); }
  std::string fresh() { return text("v", count_++); }
  std::string add(const std::string& type, const std::string& bottoms, const std::string& fields) {
    const std::string name = fresh();
    layers_ += layer(name, type, bottoms, fields);
    return name;
  }
  static std::string bottom(const std::string& name) { return "bottom: '" + name + "' "; }

  std::string conv(const std::string& from, int64_t outputs, const std::string& fields, bool bias) {
    return add(
        "Convolution", bottom(from),
        text("convolution_param { num_output: ", outputs, " bias_term: ", bias, " ", fields, " }"));
  }
  std::string norm(const std::string& from) {
    const std::string name = add("BatchNorm", bottom(from), "");
    return below(3) ? add("Scale", bottom(name), text("scale_param { bias_term: ", below(2), " }"))
                    : name;
  }
  std::string maybe_norm(const std::string& from) { return below(2) ? norm(from) : from; }
  std::string border(const std::string& from, int64_t pad) {
    return add("BatchNormPad", bottom(from), text("batch_norm_param { pad: ", pad, " }"));
  }

  // Branches from `from` with `inputs` channels to `outputs` channels.
  std::string sum(const std::string& from, int64_t inputs, int64_t outputs, int64_t stride,
                  int depth) {
    std::string bottoms, factors;
    const int64_t branches = 1 + below(4);
    for (int64_t b = 0; b < branches + (branches == 1); ++b) {
      const bool computes = depth == 0 && b == 0;  // not identities alone
      bottoms +=
          bottom(computes ? conv(from, outputs, text("kernel_size: 1 stride: ", stride), true)
                          : branch(from, inputs, outputs, stride, depth));
      factors += text("coeff: ", (below(5) - 2) == 0 ? 0.5 : 1.5 - below(3), " ");
    }
    return add("Eltwise", bottoms, below(2) ? "" : "eltwise_param { " + factors + "}");
  }

  std::string branch(const std::string& from, int64_t inputs, int64_t outputs, int64_t stride,
                     int depth) {
    const int64_t kernel = 1 + 2 * below(3), half = kernel / 2, dilation = 1 + below(2);
    const std::string strides = text("stride: ", stride, " ");
    switch (below(10)) {
      case 0:
        return maybe_norm(conv(from, outputs,
                               text(strides, "kernel_size: ", kernel, " pad: ", half * dilation,
                                    " dilation: ", dilation, " group: ", 1 + below(2)),
                               below(2)));
      case 1:
        return maybe_norm(conv(from, outputs, strides + "kernel_size: 1", below(2)));
      case 2:  // 1 x K or K x 1
        return maybe_norm(below(2) ? conv(from, outputs,
                                          text(strides, "kernel_h: 1 kernel_w: ", kernel,
                                               " pad_h: 0 pad_w: ", half),
                                          below(2))
                                   : conv(from, outputs,
                                          text(strides, "kernel_h: ", kernel,
                                               " kernel_w: 1 pad_h: ", half, " pad_w: 0"),
                                          below(2)));
      case 3: {  // 1 x 1, border, K x K
        const int64_t middle = 2 * (1 + below(3));
        const std::string padded = border(conv(from, middle, "kernel_size: 1", false), half);
        return maybe_norm(conv(padded, outputs, text(strides, "kernel_size: ", kernel), below(2)));
      }
      case 4: {  // 1 x 1, border, average
        const std::string padded = border(conv(from, outputs, "kernel_size: 1", false), half);
        return maybe_norm(add("Pooling", bottom(padded),
                              text("pooling_param { pool: AVE round_mode: FLOOR ", strides,
                                   "kernel_size: ", kernel, " }")));
      }
      case 5: {  // depthwise, pointwise
        const std::string spread = conv(
            from, 2 * inputs,
            text(strides, "kernel_size: ", kernel, " pad: ", half, " group: ", inputs), below(2));
        return maybe_norm(conv(maybe_norm(spread), outputs, "kernel_size: 1", below(2)));
      }
      case 6:  // identity
        if (inputs != outputs || stride != 1) break;
        return below(2) ? norm(from) : from;
      case 7:  // a chain of kernels whose padding stands in front
        return maybe_norm(conv(conv(from, 4, text("kernel_size: 3 pad: ", half + 1), below(2)),
                               outputs, text(strides, "kernel_size: ", kernel), below(2)));
      case 8:
        if (kernel == 1)
          return maybe_norm(add("ORepaConv", bottom(from),
                                text("convolution_param { num_output: ", outputs, " ", strides,
                                     "kernel_size: 1 } orepa_param { preset: OREPA_1X1 }")));
        return maybe_norm(
            add("ORepaConv", bottom(from),
                text("convolution_param { num_output: ", outputs, " ", strides,
                     "kernel_size: ", kernel, " pad: ", half, " } orepa_param { preset: OREPA }")));
      default:  // blocks in blocks
        if (depth == 2) break;
        if (below(2)) return maybe_norm(sum(from, inputs, outputs, stride, depth + 1));
        return maybe_norm(conv(sum(from, inputs, 4, 1, depth + 1), outputs,
                               strides + "kernel_size: 1", below(2)));
    }
    return conv(from, outputs, strides + "kernel_size: 1", true);
  }

  Random random_;
  int64_t index_ = 0;
  int count_ = 0;
  int64_t height_ = 0, width_ = 0, channels_ = 0;
  std::string layers_;
};

class RandomBlocks : public testing::TestWithParam<int> {};

TEST_P(RandomBlocks, BecomeOneConvolutionWithTheSameNumbers) {
  for (int seed = GetParam() * 100; seed < GetParam() * 100 + 100; ++seed) {
    RandomBlock block(static_cast<uint64_t>(seed));
    const std::string net = block.net();
    SCOPED_TRACE(text("seed ", seed, ", input ", block.input(), "\n", net));
    const Merged merged(net, block.input(), kNoLimit, static_cast<uint64_t>(seed));
    ASSERT_EQ(merged.types(), Types{"Convolution"}) << merged.left();
    ASSERT_LE(merged.error(), kTolerance);
  }
}

INSTANTIATE_TEST_SUITE_P(ThousandSeeds, RandomBlocks, testing::Range(0, 10));

}  // namespace
}  // namespace orepa
