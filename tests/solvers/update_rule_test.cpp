#include "orepa/update_rule.h"

#include <gtest/gtest.h>

#include "orepa/error.h"
#include "solvers/settings.h"
#include "tests/error_of.h"
#include "tests/test_device.h"
#include "tests/training.h"

namespace orepa {
namespace {

constexpr int kSteps = 20;
constexpr double kRate = 0.1, kMomentum = 0.9, kMomentum2 = 0.99, kScale = 0.5, kL2 = 0.01;
constexpr double kRmsDecay = 0.95, kDelta = 1e-3, kTrust = 0.02;
using Vector = std::vector<double>;

// What a formula computes with: one parameter, in double. Histories begin at 0.
struct Formula {
  Vector w, g;  // the gradient as it is scaled, without decay
  Vector h{0, 0, 0}, h2{0, 0, 0};
  int t = 0;  // the update, counted from 1

  double regularized(size_t i) const { return g[i] + kL2 * w[i]; }
};

double norm(const Vector& x) {
  double sum = 0;
  for (const double value : x) sum += value * value;
  return std::sqrt(sum);
}

double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }

// Device memory of one parameter of `count` numbers and all that its update needs.
struct Memory {
  Memory(Device& device, const UpdateRule& rule, int64_t count)
      : device(device),
        count(count),
        weight(device, bytes()),
        gradient(device, bytes()),
        history(device, rule.histories() * bytes()),
        scratch(device, rule.scratch_bytes(count)),
        scale(device, sizeof(StepScale)) {
    device.zero(history.data(), history.bytes());
  }
  int64_t bytes() const { return count * int64_t{sizeof(float)}; }
  Tensor tensor(const DeviceMemory& memory, int block = 0) const {
    return {static_cast<float*>(memory.data()) + block * count, {count}};
  }
  void write(const DeviceMemory& memory, const std::vector<float>& values) {
    write_tensor(device, tensor(memory), values);
  }
  std::vector<float> read(const DeviceMemory& memory, int block = 0) const {
    return read_tensor(device, tensor(memory, block));
  }
  Update update(const StepScale& values) {
    device.copy_to_device(scale.data(), &values, sizeof values);
    device.synchronize();
    Update update;
    update.weight = tensor(weight).floats();
    update.gradient = tensor(gradient).floats();
    update.history = tensor(history).floats();
    update.scratch = scratch.data();
    update.count = count;
    update.step = static_cast<const StepScale*>(scale.data());
    return update;
  }

  Device& device;
  const int64_t count;
  const DeviceMemory weight, gradient, history, scratch, scale;
};

// One parameter of three numbers, one of which starts at 0, against the formula, to the rounding of
// float.
template <class Step>
void expect_steps(const std::string& type, Step formula, const RuleOptions& more = {},
                  bool decays = true) {
  const std::unique_ptr<Device> device = test_device();
  const std::unique_ptr<UpdateRule> rule = make_update_rule(type, "test");
  Memory memory(*device, *rule, 3);
  const std::vector<float> start{1, -2, 0};
  memory.write(memory.weight, start);
  Formula f{{start.begin(), start.end()}, {}};
  for (int step = 0; step < kSteps; ++step) {
    const std::vector<float> given{0.5f + static_cast<float>(step), 1.0f - static_cast<float>(step),
                                   step == 0 ? 0.0f : -0.1f};
    memory.write(memory.gradient, given);
    StepScale values;
    values.rate = kRate;
    values.bias1 = 1 - std::pow(kMomentum, step + 1);
    values.bias2 = 1 - std::pow(kMomentum2, step + 1);
    values.rule = more;
    values.rule.momentum = kMomentum;
    values.rule.momentum2 = kMomentum2;
    values.rule.rms_decay = kRmsDecay;
    values.rule.delta = kDelta;
    values.rule.trust_coefficient = kTrust;
    values.gradient = kScale;
    Update update = memory.update(values);
    update.l2 = decays ? kL2 : 0;
    update.decays = decays;
    rule->apply(*device, update);

    f.g.assign(3, 0);
    for (int i = 0; i < 3; ++i) f.g[i] = kScale * given[i];
    f.t = step + 1;
    formula(f);
    const auto expect = [&](const std::vector<float>& got, const Vector& wanted) {
      for (int i = 0; i < 3; ++i)
        ASSERT_NEAR(got[i], wanted[i], 3e-6 * (1 + std::abs(wanted[i])))
            << type << " step " << step << " number " << i;
    };
    expect(memory.read(memory.weight), f.w);
    expect(memory.read(memory.history), f.h);
    if (rule->histories() > 1) expect(memory.read(memory.history, 1), f.h2);
  }
}

// f(formula, i) for each number by itself.
template <class Step>
auto each(Step step) {
  return [step](Formula& f) {
    for (size_t i = 0; i < 3; ++i) step(f, i);
  };
}

RuleOptions pytorch() {
  RuleOptions options;
  options.rate_in_momentum = false;
  return options;
}

TEST(UpdateRule, SGDFollowsBothConventions) {
  expect_steps("SGD", each([](Formula& f, size_t i) {
                 f.h[i] = kMomentum * f.h[i] + kRate * f.regularized(i);
                 f.w[i] -= f.h[i];
               }));
  expect_steps("SGD", each([](Formula& f, size_t i) {
                 f.h[i] = kMomentum * f.h[i] + f.regularized(i);
                 f.w[i] -= kRate * f.h[i];
               }),
               pytorch());
}

TEST(UpdateRule, NesterovFollowsBothConventions) {
  expect_steps("Nesterov", each([](Formula& f, size_t i) {
                 const double before = f.h[i];
                 f.h[i] = kMomentum * before + kRate * f.regularized(i);
                 f.w[i] -= (1 + kMomentum) * f.h[i] - kMomentum * before;
               }));
  expect_steps("Nesterov", each([](Formula& f, size_t i) {
                 const double g = f.regularized(i);
                 f.h[i] = kMomentum * f.h[i] + g;
                 f.w[i] -= kRate * (g + kMomentum * f.h[i]);
               }),
               pytorch());
}

TEST(UpdateRule, AdaGradFollowsCaffe) {
  expect_steps("AdaGrad", each([](Formula& f, size_t i) {
                 const double g = f.regularized(i);
                 f.h[i] += g * g;
                 f.w[i] -= kRate * g / (std::sqrt(f.h[i]) + kDelta);
               }));
}

TEST(UpdateRule, RMSPropFollowsCaffe) {
  expect_steps("RMSProp", each([](Formula& f, size_t i) {
                 const double g = f.regularized(i);
                 f.h[i] = kRmsDecay * f.h[i] + (1 - kRmsDecay) * g * g;
                 f.w[i] -= kRate * g / (std::sqrt(f.h[i]) + kDelta);
               }));
}

TEST(UpdateRule, AdaDeltaFollowsCaffe) {
  expect_steps("AdaDelta", each([](Formula& f, size_t i) {
                 const double g = f.regularized(i);
                 f.h[i] = kMomentum * f.h[i] + (1 - kMomentum) * g * g;
                 const double change = g * std::sqrt((f.h2[i] + kDelta) / (f.h[i] + kDelta));
                 f.h2[i] = kMomentum * f.h2[i] + (1 - kMomentum) * change * change;
                 f.w[i] -= kRate * change;
               }));
}

void add_to_moments(Formula& f, size_t i, double g) {
  f.h[i] = kMomentum * f.h[i] + (1 - kMomentum) * g;
  f.h2[i] = kMomentum2 * f.h2[i] + (1 - kMomentum2) * g * g;
}

// m^ / (sqrt(v^) + epsilon).
double change(const Formula& f, size_t i) {
  const double m = f.h[i] / (1 - std::pow(kMomentum, f.t)),
               v = f.h2[i] / (1 - std::pow(kMomentum2, f.t));
  return m / (std::sqrt(v) + kDelta);
}

TEST(UpdateRule, AdamFollowsCaffe) {
  expect_steps("Adam", each([](Formula& f, size_t i) {
                 add_to_moments(f, i, f.regularized(i));
                 const double correction =
                     std::sqrt(1 - std::pow(kMomentum2, f.t)) / (1 - std::pow(kMomentum, f.t));
                 f.w[i] -= kRate * correction * f.h[i] / (std::sqrt(f.h2[i]) + kDelta);
               }));
}

TEST(UpdateRule, AdamWFollowsItsPaper) {
  expect_steps("AdamW", each([](Formula& f, size_t i) {
                 add_to_moments(f, i, f.g[i]);
                 f.w[i] -= kRate * (change(f, i) + kL2 * f.w[i]);
               }));
}

TEST(UpdateRule, LionFollowsItsPaper) {
  expect_steps("Lion", each([](Formula& f, size_t i) {
                 const double c = kMomentum * f.h[i] + (1 - kMomentum) * f.g[i];
                 f.w[i] -= kRate * (sign(c) + kL2 * f.w[i]);
                 f.h[i] = kMomentum2 * f.h[i] + (1 - kMomentum2) * f.g[i];
               }));
}

TEST(UpdateRule, LARSFollowsItsPaperInBothConventions) {
  for (const bool caffe : {true, false}) {
    const auto step = [caffe](Formula& f, double local) {
      for (size_t i = 0; i < 3; ++i) {
        const double g = local * f.regularized(i);
        f.h[i] = kMomentum * f.h[i] + (caffe ? kRate * g : g);
        f.w[i] -= caffe ? f.h[i] : kRate * f.h[i];
      }
    };
    expect_steps(
        "LARS", [&](Formula& f) { step(f, kTrust * norm(f.w) / (norm(f.g) + kL2 * norm(f.w))); },
        caffe ? RuleOptions{} : pytorch());
  }
  // Where nothing decays, it is SGD.
  expect_steps("LARS", each([](Formula& f, size_t i) {
                 f.h[i] = kMomentum * f.h[i] + kRate * f.g[i];
                 f.w[i] -= f.h[i];
               }),
               {}, false);
}

TEST(UpdateRule, LAMBFollowsItsPaper) {
  for (const bool decays : {true, false})
    expect_steps(
        "LAMB",
        [decays](Formula& f) {
          Vector r(3);
          for (size_t i = 0; i < 3; ++i) {
            add_to_moments(f, i, f.g[i]);
            r[i] = change(f, i) + (decays ? kL2 * f.w[i] : 0);
          }
          const double ratio = decays ? norm(f.w) / norm(r) : 1;
          for (size_t i = 0; i < 3; ++i) f.w[i] -= kRate * ratio * r[i];
        },
        {}, decays);
}

// Of more pieces than one, and with a norm of 0, by which nothing is multiplied.
TEST(UpdateRule, NormsAreOfTheWholeParameter) {
  const std::unique_ptr<Device> device = test_device();
  constexpr int64_t kCount = 3 * parallel::kLongPiece + 5;
  for (const float start : {0.5f, 0.0f}) {
    const std::unique_ptr<UpdateRule> rule = make_update_rule("LARS", "test");
    Memory memory(*device, *rule, kCount);
    memory.write(memory.weight, std::vector<float>(kCount, start));
    memory.write(memory.gradient, std::vector<float>(kCount, 2));
    StepScale values;
    values.rate = 1;
    values.rule.trust_coefficient = 0.25f;
    rule->apply(*device, memory.update(values));
    // 0.25 |W| / |g| g, or g.
    const float wanted = start == 0 ? -2.0f : start - 0.25f * start / 2 * 2;
    for (const float w : memory.read(memory.weight)) ASSERT_FLOAT_EQ(w, wanted);
  }
}

TEST(UpdateRule, ChangesNothingWhereTheStepDoesNotProceed) {
  const std::unique_ptr<Device> device = make_device("cpu");
  const float gradient[] = {1, 2};
  for (const SolverType& type : solver_types()) {
    const std::unique_ptr<UpdateRule> rule = type.make();
    float weight[] = {3, 4}, history[] = {5, 6, 7, 8};
    std::vector<double> scratch(static_cast<size_t>(rule->scratch_bytes(2)));
    StepScale scale;
    scale.rate = kRate;
    scale.proceed = 0;
    Update update;
    update.weight = weight;
    update.gradient = gradient;
    update.history = history;
    update.scratch = scratch.data();
    update.count = 2;
    update.step = &scale;
    rule->apply(*device, update);
    EXPECT_EQ(weight[0] + weight[1], 7) << type.name;
    EXPECT_EQ(history[0] + history[1] + history[2] + history[3], 26) << type.name;
  }
}

TEST(UpdateRule, UnknownTypesNameTheNearest) {
  const std::string message = error_of([] { make_update_rule("Nestrov", "solver.prototxt:1:1"); });
  EXPECT_EQ(message.rfind("solver.prototxt:1:1", 0), 0u) << message;
  EXPECT_NE(message.find("\"Nesterov\""), std::string::npos) << message;
}

// Everything that a parameter goes through: branches, frozen ones, biases without decay.
std::string training(const std::string& type, const std::string& more = "") {
  const bool momentum = type != "AdaGrad" && type != "RMSProp";
  return text(R"(net_param {
    layer { name: "in" type: "Input" top: "x" top: "label"
            input_param { shape { dim: 4 dim: 3 dim: 6 dim: 6 } shape { dim: 4 } } }
    layer { name: "conv" type: "ORepaConv" bottom: "x" top: "conv"
            convolution_param { num_output: 4 kernel_size: 3 pad: 1 }
            orepa_param { preset: OREPA } }
    layer { name: "frozen" type: "Scale" bottom: "conv" top: "frozen" param { lr_mult: 0 } }
    layer { name: "ip" type: "InnerProduct" bottom: "frozen" top: "ip"
            param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
            inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" } }
  weight_decay: 0.01 max_iter: 8 snapshot_after_train: false random_seed: 3 type: ")",
              type, "\" snapshot_prefix: '", test_folder(), "run' ",
              momentum ? "momentum: 0.9 " : "",
              type == "AdaDelta" ? "base_lr: 20 " : "base_lr: 0.01 ", more);
}

SolverOptions fed(const std::string& snapshot = "") {
  SolverOptions options = resuming(snapshot);
  options.feed = feed_noise;
  return options;
}

// With what a solver does around it. Each makes the loss smaller on one batch, and each its own
// way.
TEST(UpdateRule, AResumedRunOfEachHasTheBitsOfAnUninterruptedOne) {
  std::vector<std::vector<float>> ends;
  for (const SolverType& type : solver_types()) {
    SCOPED_TRACE(type.name);
    for (const char* more : {"", "clip_gradients: 0.5 iter_size: 2 ema_decay: 0.9 ",
                             "snapshot_format: HDF5 regularization_type: 'L1' "}) {
      const std::string solver = training(type.name, more);
      Training whole(solver, fed());
      for (int i = 0; i < 8; ++i) whole->step();
      Training first(solver, fed());
      for (int i = 0; i < 3; ++i) first->step();
      const std::string state = first->snapshot();
      Training second(solver, fed(state));
      EXPECT_EQ(second.state(), first.state());
      for (int i = 3; i < 8; ++i) second->step();
      EXPECT_EQ(second.state(), whole.state());
      for (const auto& parameter : whole->parameters().all()) {
        if (parameter->layer == "frozen") {
          EXPECT_EQ(whole->parameters().read(*parameter), std::vector<float>(4, 1));
        }
      }
      ends.push_back(whole.state());
    }
  }
  for (size_t i = 0; i < ends.size(); ++i)
    for (size_t j = 0; j < i; ++j) EXPECT_NE(ends[i], ends[j]);
}

// A step waits for its totals, where the device computes on its own, and for nothing else.
TEST(UpdateRule, EachLearnsAndNoneWaitsForTheDevice) {
  for (const SolverType& type : solver_types()) {
    SCOPED_TRACE(type.name);
    SolverOptions options;
    options.feed = [](Net& net, int64_t) { feed_noise(net, 0); };
    const std::string more = type.name == "LARS" ? "trust_coefficient: 1 " : "";
    Training run(training(type.name, more), options);
    const double before = run->step();
    double after = before;
    const int64_t waits = run.device->counts().waits;
    for (int i = 1; i < 8; ++i) after = run->step();
    EXPECT_LT(after, 0.95 * before);
    EXPECT_LE(run.device->counts().waits - waits, 7);
  }
}

TEST(UpdateRule, RefusesOptionsThatItHasNot) {
  for (const char* type : {"AdaGrad", "RMSProp"}) {
    const std::string message = error_of(
        [&] { SolverSettings(SolverSpec::parse(text("type: '", type, "'\nmomentum: 0.9"), "s")); });
    EXPECT_EQ(message,
              text("s:2:1: ", type, " has no momentum; leave it out, or take another type"));
  }
  for (const char* field : {"momentum2: 1", "momentum2: -0.1", "rms_decay: 1", "delta: -1e-8",
                            "trust_coefficient: 0"}) {
    const std::string message =
        error_of([&] { SolverSettings(SolverSpec::parse(text("base_lr: 1\n", field), "s")); });
    EXPECT_EQ(message.rfind("s:2:1: ", 0), 0u) << message;
  }
}

}  // namespace
}  // namespace orepa
