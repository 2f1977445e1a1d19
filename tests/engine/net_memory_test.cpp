// Nets share memory wherever lifetimes allow it, and nobody may notice: random nets beside the same
// nets in which every buffer has a place of its own.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "orepa/net.h"
#include "orepa/random.h"
#include "tests/error_of.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// Nets as people write them, and odder: in-place layers whose bottom others read before and after,
// blobs read twice by one layer, sums and products of what they read themselves, several inputs,
// several outputs, layers with two bottoms. All blobs but the last are N x C x 5 x 5.
class RandomNet {
 public:
  explicit RandomNet(uint64_t seed) : random_(seed, "random net") {
    for (int i = below(3); i >= 0; --i) {
      const std::string name = "x" + std::to_string(i);
      text_ += "layer { name: \"" + name + "\" type: \"Input\" top: \"" + name +
               "\" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 5 } } }\n";
      blobs_.push_back({name, 3});
    }
    text_ += "layer { name: \"t\" type: \"Input\" top: \"t\" input_param { shape { dim: 2 } } }\n";
    for (int i = 3 + below(9); i > 0; --i) add_layer();
    if (chance(3)) {
      const std::string scores = add("InnerProduct", {any().name},
                                     "inner_product_param { num_output: 4 "
                                     "weight_filler { type: \"xavier\" } }",
                                     0);
      if (chance(2)) add("Softmax", {scores}, "", 0);
      add("SoftmaxWithLoss", {scores, "t"}, "", 0);
      if (chance(2)) add("Accuracy", {scores, "t"}, "", 0);
    }
  }

  const std::string& text() const { return text_; }
  // Some blobs, by chance.
  std::vector<std::string> some() {
    std::vector<std::string> names;
    for (const Blob& blob : blobs_)
      if (chance(4)) names.push_back(blob.name);
    return names;
  }
  std::vector<std::string> all() const {
    std::vector<std::string> names;
    for (const Blob& blob : blobs_) names.push_back(blob.name);
    return names;
  }

 private:
  struct Blob {
    std::string name;
    int channels;
  };

  int below(int n) { return static_cast<int>(random_.below(next_++, n)); }
  bool chance(int one_in) { return below(one_in) == 0; }
  const Blob& any() { return blobs_[below(static_cast<int>(blobs_.size()))]; }
  Blob any_with(int channels) {
    for (int tries = 0; tries < 20; ++tries)
      if (const Blob blob = any(); blob.channels == channels) return blob;
    return {"", 0};
  }

  std::string add(const std::string& type, const std::vector<std::string>& bottoms,
                  const std::string& parameters, int channels, bool may_be_in_place = false) {
    const std::string name = "l" + std::to_string(layers_++);
    const std::string top = may_be_in_place && chance(2) ? bottoms[0] : name;
    text_ += "layer { name: \"" + name + "\" type: \"" + type + "\" top: \"" + top + "\"";
    for (const std::string& bottom : bottoms) text_ += " bottom: \"" + bottom + "\"";
    text_ += " " + parameters + " }\n";
    if (channels > 0 && top == name) blobs_.push_back({name, channels});
    return top;
  }

  void add_layer() {
    const Blob x = any();
    const int outputs = 1 + below(4);
    switch (below(20)) {
      case 0:
      case 1:
        add("Convolution", {x.name},
            "convolution_param { kernel_size: 3 pad: 1 weight_filler { type: \"msra\" } "
            "num_output: " +
                std::to_string(outputs) + " }",
            outputs);
        break;
      case 2:
        add("ORepaConv", {x.name},
            "orepa_param { preset: OREPA } convolution_param { kernel_size: 3 pad: 1 num_output: " +
                std::to_string(outputs) + " }",
            outputs);
        break;
      case 3: {
        const std::string top = add("BatchNorm", {x.name}, "", x.channels, true);
        if (chance(2)) add("Scale", {top}, "scale_param { bias_term: true }", x.channels, true);
        break;
      }
      case 4:
      case 5:
        add("ReLU", {x.name}, "", x.channels, true);
        break;
      case 6: {
        // Without an eps, what is constant but for its rounding would be spread out.
        const std::pair<const char*, const char*> types[] = {
            {"Sigmoid", ""},
            {"TanH", ""},
            {"Softmax", ""},
            {"Dropout", ""},
            {"Scale", ""},
            {"PReLU", ""},
            {"Bias", ""},
            {"ELU", ""},
            {"BNLL", ""},
            {"Swish", ""},
            {"AbsVal", ""},
            {"Power", "power_param { power: 2 scale: 0.5 }"},
            {"LRN", ""},
            {"ReLU6", ""},
            {"MVN", "mvn_param { eps: 0.5 }"},
            {"Normalize", "norm_param { eps: 0.5 }"}};
        const auto& [type, parameters] = types[below(16)];
        add(type, {x.name}, parameters, x.channels, true);
        break;
      }
      case 7:
      case 8:
      case 9: {
        std::vector<std::string> bottoms{x.name};
        for (int i = 1 + below(2); i > 0; --i)
          if (const Blob other = any_with(x.channels); other.channels > 0)
            bottoms.push_back(other.name);
        if (bottoms.size() == 1) bottoms.push_back(x.name);
        const char* const operations[] = {"", "operation: PROD", "operation: MAX"};
        add("Eltwise", bottoms, text_of("eltwise_param", operations[below(3)]), x.channels, true);
        break;
      }
      case 10: {
        const Blob other = any();
        add("Concat", {x.name, other.name}, "", x.channels + other.channels);
        break;
      }
      case 11:
        add("Pooling", {x.name},
            std::string("pooling_param { kernel_size: 3 pad: 1 pool: ") +
                (chance(2) ? "MAX }" : "AVE }"),
            x.channels);
        break;
      case 12:
        add("Deconvolution", {x.name},
            "convolution_param { kernel_size: 3 pad: 1 weight_filler { type: \"msra\" } "
            "num_output: " +
                std::to_string(outputs) + " }",
            outputs);
        break;
      case 13:
      case 14:
        add_parts(x);
        break;
      case 15:
        add("Permute", {x.name}, "permute_param { order: 0 order: 1 order: 3 order: 2 }",
            x.channels);
        break;
      case 16: {
        const char* const types[] = {"Reshape", "Tile", "Crop", "ShuffleChannel"};
        const int which = below(4);
        std::vector<std::string> bottoms{x.name};
        if (which == 2) bottoms.push_back(any().name);
        const char* const fields[] = {"reshape_param { shape { dim: 0 dim: 0 dim: 5 dim: -1 } }",
                                      "tile_param { tiles: 2 }", "", ""};
        add(types[which], bottoms, fields[which], which == 1 ? 2 * x.channels : x.channels);
        break;
      }
      case 17: {
        const std::string scale =
            add("Pooling", {x.name}, "pooling_param { pool: AVE global_pooling: true }", 0);
        const Blob other = any_with(x.channels);
        add("Axpy", {scale, x.name, other.channels > 0 ? other.name : x.name}, "", x.channels);
        break;
      }
      case 18: {
        const Blob other = any_with(x.channels);
        add_of_two(x, other.channels > 0 ? other : x);
        break;
      }
      case 19: {
        // Two steps of as many sequences as x has channels; any numbers do for cont.
        const std::string cont = add("Reduction", {x.name}, "reduction_param { axis: 2 }", 0);
        const std::string hidden = add(chance(2) ? "LSTM" : "RNN", {x.name, cont},
                                       "recurrent_param { num_output: 25 "
                                       "weight_filler { type: \"xavier\" } }",
                                       0);
        add("Reshape", {hidden}, "reshape_param { shape { dim: 0 dim: 0 dim: 5 dim: 5 } }",
            x.channels);
        break;
      }
    }
  }
  // Two tops, of which nobody may read one: the channels cut in two, or all of them twice.
  void add_parts(const Blob& x) {
    const std::string name = "l" + std::to_string(layers_++);
    const bool cuts = x.channels > 1 && chance(2);
    text_ += "layer { name: \"" + name + "\" type: \"" + (cuts ? "Slice" : "Split") +
             "\" bottom: \"" + x.name + "\" top: \"" + name + "a\" top: \"" + name + "b\" " +
             (cuts ? "slice_param { slice_point: 1 }" : "") + " }\n";
    blobs_.push_back({name + "a", cuts ? 1 : x.channels});
    if (chance(2)) blobs_.push_back({name + "b", cuts ? x.channels - 1 : x.channels});
    if (chance(4))
      text_ += "layer { name: \"" + name + "s\" type: \"Silence\" bottom: \"" + name + "b\" }\n";
  }
  // One convolution of two bottoms.
  void add_of_two(const Blob& x, const Blob& other) {
    const std::string name = "l" + std::to_string(layers_++);
    text_ += "layer { name: \"" + name + "\" type: \"" +
             (chance(2) ? "Convolution" : "Deconvolution") + "\" bottom: \"" + x.name +
             "\" bottom: \"" + other.name + "\" top: \"" + name + "a\" top: \"" + name +
             "b\" convolution_param { num_output: 3 kernel_size: 3 pad: 1 "
             "weight_filler { type: \"msra\" } } }\n";
    for (const char* top : {"a", "b"}) blobs_.push_back({name + top, 3});
  }
  static std::string text_of(const std::string& message, const std::string& content) {
    return content.empty() ? "" : message + " { " + content + " }";
  }

  Random random_;
  uint64_t next_ = 0;
  int layers_ = 0;
  std::string text_;
  std::vector<Blob> blobs_;
};

using Values = std::map<std::string, std::vector<float>>;

std::vector<float> normal(int64_t count, const std::string& purpose) {
  const Random random(5, purpose);
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random.normal(i));
  return values;
}

// Everything that can be read of one step: kept blobs and outputs after each pass, gradients of
// inputs and of parameters.
Values step(Device& device, const NetSpec& spec, const NetOptions& options) {
  Parameters parameters(device, 1, true);
  Arena arena(device);
  Net net(spec, parameters, arena, options);
  // No buffer may count on what was there before.
  const std::vector<char> nothing(static_cast<size_t>(arena.bytes()), '\xff');
  device.copy_to_device(arena.data(), nothing.data(), arena.bytes());
  device.synchronize();

  Values values;
  for (const Net::Blob& blob : net.inputs())
    net.set(blob.name,
            blob.name == "t" ? std::vector<float>{1, 3} : normal(blob.shape.count(), blob.name));
  const auto read_blobs = [&](const std::string& when) {
    for (const std::string& blob : options.keep) values[when + blob] = net.read(blob);
    for (const Net::Blob& blob : net.outputs()) values[when + blob.name] = net.read(blob.name);
  };
  net.prepare();
  net.forward(0);
  values["forward loss"] = {static_cast<float>(net.loss())};
  read_blobs("forward ");
  if (!options.input_gradients) return values;

  for (const Net::Blob& blob : net.outputs())
    if (net.loss_weight(blob.name) == 0)
      net.seed_gradient(blob.name, normal(blob.shape.count(), blob.name));
  parameters.begin_step();
  net.backward();
  read_blobs("forward, still there, ");
  for (const Net::Blob& blob : net.inputs())
    values["gradient " + blob.name] = net.read_gradient(blob.name);
  net.finish([&](const std::vector<Parameter*>& learned) {
    for (const Parameter* parameter : learned)
      values["gradient " + parameter->path()] = read_tensor(device, parameter->gradient);
  });
  return values;
}

// Of all values whose name starts so.
double largest(const Values& values, const std::string& start) {
  double most = 0;
  for (const auto& [name, numbers] : values)
    if (name.starts_with(start))
      for (const float v : numbers) most = std::max(most, std::fabs(static_cast<double>(v)));
  return most;
}

void expect_that_nobody_notices(DType precision) {
  const std::unique_ptr<Device> device = test_device();
  if (precision == DType::kBFloat16 && device->bfloat16() == Device::Support::kNone)
    GTEST_SKIP() << "not on this processor";
  for (uint64_t seed = 0; seed < 500 && !testing::Test::HasFailure(); ++seed) {
    RandomNet random(seed);
    const NetSpec spec = NetSpec::parse(random.text(), "random.prototxt");
    NetOptions options;
    options.precision = precision;
    options.phase = seed % 3 == 0 ? Phase::kTrain : Phase::kTest;
    options.input_gradients = options.seed_outputs = seed % 3 != 2;
    options.keep = random.some();
    const Values shared = step(*device, spec, options);
    options.share_memory = false;
    const Values apart = step(*device, spec, options);
    ASSERT_EQ(shared.size(), apart.size());
    for (const auto& [name, values] : apart)
      EXPECT_EQ(shared.at(name), values) << name << ", seed " << seed << "\n" << random.text();

    // What is fused is rounded less often, and a rounding of bfloat16 may open a ReLU.
    if (precision == DType::kBFloat16) continue;
    // With every blob kept, nothing is fused either. What is left is the rounding of fused layers,
    // relative to the largest number there is: gradients behind a BatchNorm may cancel out.
    options.keep = random.all();
    const Values all = step(*device, spec, options);
    for (const auto& [name, values] : shared) {
      const std::vector<float>& expected = all.at(name);
      ASSERT_EQ(expected.size(), values.size()) << name;
      const double rounding = 1e-4 * largest(all, name.substr(0, name.find(' ')));
      for (size_t i = 0; i < values.size(); ++i)
        ASSERT_NEAR(values[i], expected[i], rounding) << name << ", seed " << seed << "\n"
                                                      << random.text();
    }
  }
}

TEST(NetMemory, NobodyNoticesThatItIsShared) { expect_that_nobody_notices(DType::kFloat32); }

TEST(NetMemory, NobodyNoticesThatItIsSharedInBFloat16) {
  expect_that_nobody_notices(DType::kBFloat16);
}

TEST(NetMemory, TheLastStepLeavesAKeptBlobAlone) {
  const std::unique_ptr<Device> device = test_device();
  NetOptions options;
  options.keep = {"half"};
  const Values values = step(*device,
                             NetSpec::parse(R"(
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }
    layer { name: "half" type: "Eltwise" bottom: "x" bottom: "x" top: "half" eltwise_param { coeff: 0.25 coeff: 0.25 } }
    layer { name: "prob" type: "Softmax" bottom: "half" top: "prob" })",
                                            "net.prototxt"),
                             options);
  const std::vector<float> x = normal(3, "x");
  EXPECT_EQ(values.at("forward half"), (std::vector<float>{x[0] / 2, x[1] / 2, x[2] / 2}));
}

TEST(NetMemory, TheLastStepLeavesAGradientAlone) {
  const std::unique_ptr<Device> device = test_device();
  NetOptions options;
  options.input_gradients = options.seed_outputs = true;
  const Values values = step(*device,
                             NetSpec::parse(R"(
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }
    layer { name: "y" type: "Input" top: "y" input_param { shape { dim: 1 dim: 3 } } }
    layer { name: "sig" type: "Sigmoid" bottom: "x" top: "sig" }
    layer { name: "sum" type: "Eltwise" bottom: "x" bottom: "y" top: "sum" })",
                                            "net.prototxt"),
                             options);
  EXPECT_EQ(values.at("gradient y"), normal(3, "sum"));
}

class Reading : public testing::Test {
 protected:
  std::unique_ptr<Net> make(bool gradients) {
    NetOptions options;
    options.input_gradients = options.seed_outputs = gradients;
    return std::make_unique<Net>(spec_, parameters_, arena_, options);
  }
  void pass(Net& net) {
    net.set("x", {1, -2, 3});
    net.prepare();
    net.forward(0);
  }

  std::unique_ptr<Device> device_ = test_device();
  NetSpec spec_ = NetSpec::parse(R"(
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }
    layer { name: "relu" type: "ReLU" bottom: "x" top: "relu" }
    layer { name: "twice" type: "Eltwise" bottom: "relu" bottom: "relu" top: "twice" })",
                                 "net.prototxt");
  Parameters parameters_{*device_, 1, true};
  Arena arena_{*device_};
};

// No silent wrong number: what memory no longer holds, nobody may read.
TEST_F(Reading, OfABlobThatNobodyKeptIsRefused) {
  const auto net = make(false);
  pass(*net);
  EXPECT_EQ(net->read("twice"), (std::vector<float>{2, 0, 6}));
  EXPECT_EQ(error_of([&] { net->read("relu"); }),
            "blob \"relu\" is not kept after a pass; name it among those to keep "
            "(NetOptions::keep, orepa_tool run --blobs)");
}

TEST_F(Reading, WaitsForAPass) {
  const auto net = make(true);
  EXPECT_THROW(net->read("twice"), Error);
  EXPECT_THROW(net->loss(), Error);
  EXPECT_THROW(net->backward(), Error);
  pass(*net);
  EXPECT_THROW(net->read_gradient("x"), Error);
  EXPECT_THROW(net->read_gradient("relu"), Error);
  net->seed_gradient("twice", {1, 1, 1});
  net->backward();
  EXPECT_EQ(net->read_gradient("x"), (std::vector<float>{2, 0, 2}));
  EXPECT_EQ(net->read("twice"), (std::vector<float>{2, 0, 6}));
  EXPECT_THROW(net->backward(), Error);
}

TEST_F(Reading, EndsWhereTheMemoryIsUsedForSomethingElse) {
  const auto net = make(true), other = make(false);
  const auto expect_refusal = [&] {
    EXPECT_EQ(
        error_of([&] { net->read("twice"); }),
        "blob \"twice\" cannot be read: no pass has been run, or its memory has been used for "
        "something else since; read right after forward() or backward()");
    EXPECT_THROW(net->loss(), Error);
    EXPECT_THROW(net->read_gradient("x"), Error);
    EXPECT_THROW(net->backward(), Error);
  };
  pass(*net);
  pass(*other);
  expect_refusal();
  pass(*net);
  parameters_.touch();
  net->prepare();
  expect_refusal();
  pass(*net);
  net->backward();
  net->finish([](const std::vector<Parameter*>&) {});
  expect_refusal();
  pass(*net);
  arena_.reserve(2 * arena_.bytes());
  expect_refusal();
  pass(*net);
  EXPECT_EQ(net->read("twice"), (std::vector<float>{2, 0, 6}));
}

}  // namespace
}  // namespace orepa
