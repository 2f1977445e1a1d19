// Whole nets: sums at fan-out, fusion, passes that accumulate, nets that share parameters and
// arena.
#include "orepa/net.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/memory_plan.h"
#include "orepa/random.h"
#include "tests/error_of.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// A residual block with everything that the engine treats specially: in-place layers, a blob with
// three readers, a frozen layer, a loss beside another output.
const char* const kText = R"(
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 5 dim: 5 } } }
layer { name: "t" type: "Input" top: "t" input_param { shape { dim: 3 } } }
layer { name: "conv1" type: "Convolution" bottom: "x" top: "conv1"
  convolution_param { num_output: 6 kernel_size: 3 pad: 1 bias_term: false weight_filler { type: "msra" } } }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "bn1" }
layer { name: "scale1" type: "Scale" bottom: "bn1" top: "scale1" scale_param { bias_term: true } }
layer { name: "relu1" type: "ReLU" bottom: "scale1" top: "scale1" }
layer { name: "conv2" type: "ORepaConv" bottom: "scale1" top: "conv2"
  convolution_param { num_output: 6 kernel_size: 3 pad: 1 } orepa_param { preset: OREPA } }
layer { name: "frozen" type: "Convolution" bottom: "scale1" top: "frozen" param { lr_mult: 0 } param { lr_mult: 0 }
  convolution_param { num_output: 6 kernel_size: 1 weight_filler { type: "msra" } } }
layer { name: "relu2" type: "ReLU" bottom: "frozen" top: "relu2" }
layer { name: "sum" type: "Eltwise" bottom: "scale1" bottom: "conv2" bottom: "relu2" top: "sum" }
layer { name: "relu3" type: "ReLU" bottom: "sum" top: "relu3" }
layer { name: "pool" type: "Pooling" bottom: "relu3" top: "pool" pooling_param { pool: AVE global_pooling: true } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "t" top: "loss" }
)";

using Gradients = std::map<std::string, std::vector<float>>;

std::vector<float> normal(int64_t count, const std::string& purpose) {
  const Random random(5, purpose);
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random.normal(i));
  return values;
}

class NetTest : public testing::Test {
 protected:
  std::unique_ptr<Net> make(Phase phase, const std::vector<std::string>& keep = {},
                            bool input_gradients = true) {
    NetOptions options;
    options.phase = phase;
    options.keep = keep;
    options.input_gradients = input_gradients && phase == Phase::kTrain;
    auto net = std::make_unique<Net>(spec_, parameters_, arena_, options);
    net->set("x", x_);
    net->set("t", {0, 3, 4});
    return net;
  }

  // Gradients of one solver step with `passes` passes over the same batch.
  Gradients step(Net& net, int passes = 1) {
    parameters_.begin_step();
    net.prepare();
    Gradients gradients;
    for (int i = 0; i < passes; ++i) {
      net.forward(0);
      net.backward();
    }
    gradients["x"] = net.read_gradient("x");
    net.finish([&](const std::vector<Parameter*>& learned) {
      for (const Parameter* parameter : learned)
        gradients[parameter->path()] = read_tensor(*device_, parameter->gradient);
    });
    return gradients;
  }

  double loss(Net& net) {
    net.prepare();
    net.forward(0);
    return net.loss();
  }

  std::unique_ptr<Device> device_ = test_device();
  NetSpec spec_ = NetSpec::parse(kText, "net.prototxt");
  Parameters parameters_{*device_, 1, true};
  Arena arena_{*device_};
  std::vector<float> x_ = normal(3 * 4 * 5 * 5, "x");
};

double norm(const std::vector<float>& values) {
  double sum = 0;
  for (const double v : values) sum += v * v;
  return std::sqrt(sum);
}

void expect_near(const std::vector<float>& a, const std::vector<float>& b, double tolerance,
                 const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  const double scale = norm(b);
  for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], tolerance * scale) << what << i;
}

TEST_F(NetTest, TheLossFallsAlongItsGradient) {
  const auto net = make(Phase::kTrain);
  // The prior's branch starts with a scale of 0, which would leave its weight without a gradient.
  Parameter* scale = parameters_.find("conv2", "prior.scale");
  parameters_.write(*scale, normal(scale->value.count(), "prior.scale"));
  const Gradients gradients = step(*net);
  // Every learned parameter has one, and frozen ones have none.
  for (const auto& parameter : parameters_.all())
    EXPECT_EQ(gradients.contains(parameter->path()), parameter->learns()) << parameter->path();

  // Against a difference along the gradient itself, at a step small enough to cross few kinks of
  // ReLU: what is left is curvature, h |g|, and rounding of the loss, 1e-7 / h |g|.
  const float h = 1e-3f;
  const auto check = [&](const std::string& name, const auto& move) {
    const std::vector<float>& gradient = gradients.at(name);
    const double length = norm(gradient);
    ASSERT_GT(length, 1e-5) << name;
    const auto at = [&](float sign) {
      move(gradient, static_cast<float>(sign * h / length));
      const double value = loss(*net);
      move(gradient, static_cast<float>(-sign * h / length));
      return value;
    };
    EXPECT_NEAR((at(1) - at(-1)) / (2 * h) / length, 1, 0.02 + 3e-4 / length) << name;
  };
  check("x", [&](const std::vector<float>& gradient, float by) {
    for (size_t i = 0; i < x_.size(); ++i) x_[i] += by * gradient[i];
    net->set("x", x_);
  });
  for (const auto& parameter : parameters_.all()) {
    if (!parameter->learns()) continue;
    check(parameter->path(), [&](const std::vector<float>& gradient, float by) {
      std::vector<float> values = parameters_.read(*parameter);
      for (size_t i = 0; i < values.size(); ++i) values[i] += by * gradient[i];
      parameters_.write(*parameter, values);
    });
  }
}

TEST_F(NetTest, FusionChangesNothingButRounding) {
  const std::vector<std::string> all = {"bn1", "scale1", "sum", "frozen"};
  const auto fused = make(Phase::kTrain), plain = make(Phase::kTrain, all);
  EXPECT_LT(fused->report().size(), plain->report().size());
  const Gradients a = step(*fused), b = step(*plain);
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, gradient] : b) expect_near(a.at(name), gradient, 2e-5, name);

  const auto fused_test = make(Phase::kTest, {"fc"});
  loss(*fused_test);
  const std::vector<float> fc = fused_test->read("fc");
  const auto plain_test = make(Phase::kTest, {"bn1", "scale1", "sum", "frozen", "fc"});
  EXPECT_LT(fused_test->report().size(), plain_test->report().size());
  loss(*plain_test);
  expect_near(fc, plain_test->read("fc"), 2e-6, "fc");
}

TEST_F(NetTest, PassesAccumulate) {
  const auto net = make(Phase::kTrain);
  const Gradients one = step(*net), two = step(*net, 2);
  for (auto [name, gradient] : one) {
    if (name == "x") continue;
    for (float& v : gradient) v *= 2;
    expect_near(two.at(name), gradient, 1e-6, name);
  }
}

TEST_F(NetTest, TheSameStepHasTheSameBits) {
  const auto net = make(Phase::kTrain);
  const Gradients first = step(*net);
  EXPECT_EQ(step(*net), first);
}

TEST_F(NetTest, NetsTakeTurnsInOneArena) {
  const auto train = make(Phase::kTrain);
  const Gradients before = step(*train);
  const auto test = make(Phase::kTest);
  EXPECT_EQ(arena_.bytes(), std::max(train->arena_bytes(), test->arena_bytes()));
  EXPECT_LT(test->arena_bytes(), train->arena_bytes());
  loss(*test);
  EXPECT_EQ(step(*train), before);
}

// Whoever runs the passes touches the arena up to the planned peak and no further.
TEST_F(NetTest, ThePlannedPeakIsTheMeasuredOne) {
  const NetSpec spec = NetSpec::parse(R"(
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 7 dim: 11 } } }
    layer { name: "t" type: "Input" top: "t" input_param { shape { dim: 7 } } }
    layer { name: "a" type: "Sigmoid" bottom: "x" top: "a" }
    layer { name: "b" type: "TanH" bottom: "a" top: "b" }
    layer { name: "c" type: "Eltwise" bottom: "a" bottom: "b" top: "c" eltwise_param { operation: PROD } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "c" bottom: "t" top: "loss" })",
                                      "net.prototxt");
  const int64_t spare = 4096;
  for (const bool backward : {true, false}) {
    NetOptions options;
    options.input_gradients = backward;
    Arena arena(*device_);
    Net net(spec, parameters_, arena, options);
    const int64_t planned = net.arena_bytes();
    arena.reserve(planned + spare);
    const std::vector<char> untouched(static_cast<size_t>(planned + spare), '\x5a');
    device_->copy_to_device(arena.data(), untouched.data(), planned + spare);
    device_->synchronize();
    net.set("x", normal(77, "small x"));
    net.set("t", {0, 1, 2, 3, 4, 5, 6});
    net.prepare();
    net.forward(0);
    if (backward) net.backward();
    std::vector<char> now(untouched.size());
    device_->copy_to_host(now.data(), arena.data(), planned + spare);
    int64_t measured = planned + spare;
    while (measured > 0 && now[measured - 1] == '\x5a') --measured;
    EXPECT_LE(measured, planned);
    EXPECT_GT(measured, planned - kAlignment);
  }
}

TEST_F(NetTest, FindsTheFirstLayerThatIsNotFinite) {
  const auto net = make(Phase::kTrain);
  loss(*net);
  EXPECT_EQ(net->find_non_finite(), "");
  Parameter* weight = parameters_.find("frozen", "weight");
  std::vector<float> values = parameters_.read(*weight);
  values[3] = INFINITY;
  parameters_.write(*weight, values);
  loss(*net);
  EXPECT_EQ(net->find_non_finite(), "layer \"frozen\" (Convolution), output \"frozen\"");
}

TEST_F(NetTest, WithoutMemoryTellsTheSameAndRunsNothing) {
  NetOptions options;
  options.phase = Phase::kTrain;
  options.allocate = false;
  Parameters parameters(*device_, 1, true);
  Arena arena(*device_);
  Net planned(spec_, parameters, arena, options);
  EXPECT_EQ(arena.bytes() + parameters.bytes(), 0);
  const auto net = make(Phase::kTrain, {}, false);
  EXPECT_EQ(planned.arena_bytes(), net->arena_bytes());
  EXPECT_EQ(planned.persistent_bytes(), net->persistent_bytes());
  ASSERT_EQ(planned.report().size(), net->report().size());
  for (size_t i = 0; i < net->report().size(); ++i)
    EXPECT_EQ(planned.report()[i].parameters, net->report()[i].parameters);
  EXPECT_THROW(planned.prepare(), Error);
  EXPECT_THROW(planned.forward(0), Error);
}

TEST_F(NetTest, ReportsTheLeastThatAPassMoves) {
  constexpr int64_t kBlob = sizeof(float) * 3 * 6 * 5 * 5;
  const auto expect = [](const LayerReport& layer, Traffic forward, Traffic backward) {
    EXPECT_EQ(layer.forward.read, forward.read) << layer.name;
    EXPECT_EQ(layer.forward.written, forward.written) << layer.name;
    EXPECT_EQ(layer.backward.read, backward.read) << layer.name;
    EXPECT_EQ(layer.backward.written, backward.written) << layer.name;
  };
  const auto net = make(Phase::kTrain), test = make(Phase::kTest);
  const auto find = [](const Net& of, const std::string& name) {
    for (const LayerReport& layer : of.report())
      if (layer.name.starts_with(name)) return layer;
    return LayerReport{};
  };
  expect(find(*net, "relu2"), {kBlob, kBlob}, {2 * kBlob, kBlob});
  // One gradient for all three terms; its ReLU reads what it made.
  expect(find(*net, "sum"), {3 * kBlob, kBlob}, {2 * kBlob, kBlob});
  expect(find(*test, "sum"), {3 * kBlob, kBlob}, {0, 0});
}

// A net of another phase that shares a layer by its name shares all of its parameters.
TEST_F(NetTest, RefusesALayerWithOtherParametersThanItHasInAnotherNet) {
  const auto layer = [](const std::string& type, const std::string& parameters) {
    return NetSpec::parse(
        "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 1 dim: 2 dim: 4 dim: "
        "4 } } }"
        "layer { name: 'c' type: '" +
            type +
            "' bottom: 'x' top: 'c' convolution_param { "
            "num_output: 2 kernel_size: 3 bias_term: " +
            parameters + " }",
        "net.prototxt");
  };
  const NetSpec with = layer("Convolution", "true }"), without = layer("Convolution", "false }"),
                branches = layer("ORepaConv", "false } orepa_param { preset: OREPA }");
  const auto refusal = [&](const NetSpec& first, const NetSpec& second) {
    Parameters parameters(*device_, 1, true);
    Arena arena(*device_);
    NetOptions train;
    train.phase = Phase::kTrain;
    const Net one(first, parameters, arena, train);
    return error_of([&] { Net(second, parameters, arena, {}); });
  };
  EXPECT_EQ(
      refusal(with, without),
      "layer \"c\" has no parameter \"bias\" here, but one in another net of this run; a layer "
      "of one name needs the same parameters in all of them");
  EXPECT_EQ(
      refusal(without, with),
      "layer \"c\" has a parameter \"bias\" here, but none in another net of this run; a layer "
      "of one name needs the same parameters in all of them");
  EXPECT_NE(refusal(branches, without).find("is computed from branches"), std::string::npos);
  EXPECT_NE(refusal(without, branches).find("is a learned weight in another net"),
            std::string::npos);
  EXPECT_EQ(refusal(with, with), "");
}

// Else it would run with the W and the packed kernels of an older step.
TEST_F(NetTest, NeedsToBePreparedAfterParametersChanged) {
  const auto net = make(Phase::kTrain);
  EXPECT_THROW(net->forward(0), Error);
  step(*net);  // an update may have changed them
  EXPECT_THROW(net->forward(0), Error);
  net->prepare();
  net->forward(0);
  Parameter& weight = *parameters_.find("conv1", "weight");
  parameters_.write(weight, parameters_.read(weight));
  EXPECT_EQ(error_of([&] { net->backward(); }),
            "forward() and backward() need a prepare() after every change of parameters");
}

TEST_F(NetTest, RefusesWhatItDoesNotHave) {
  const auto net = make(Phase::kTest);
  EXPECT_THROW(net->set("y", {1}), Error);
  EXPECT_THROW(net->set("x", {1}), Error);
  EXPECT_THROW(net->read("nothing"), Error);
  EXPECT_THROW(net->backward(), Error);
  EXPECT_THROW(make(Phase::kTest, {"nothing"}), Error);
}

}  // namespace
}  // namespace orepa
