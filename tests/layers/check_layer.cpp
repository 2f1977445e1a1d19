#include "tests/layers/check_layer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "orepa/numbers.h"

namespace orepa {
namespace {

constexpr float kStep = 1.0f / 64;  // of finite differences; a power of two, so x + h - x = h
constexpr double kEpsilon = std::numeric_limits<float>::epsilon();

Values input_values(const TestInput& input, const Random& random, int which, int count) {
  const int64_t n = input.shape.count();
  Values values(static_cast<size_t>(n));
  if (input.values == TestInput::Values::kSpread) {
    std::vector<int64_t> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    for (int64_t i = n - 1; i > 0; --i)
      std::swap(order[i], order[random.below(static_cast<uint64_t>(i), i + 1)]);
    // Several inputs interleave, so that a maximum over them has no ties either.
    const double offset = (which + 0.5) / count;
    for (int64_t i = 0; i < n; ++i)
      values[i] = static_cast<float>((order[i] - n / 2 + offset) * 8 * kStep * count);
    return values;
  }
  for (int64_t i = 0; i < n; ++i)
    values[i] = input.values == TestInput::Values::kLabels
                    ? static_cast<float>(random.below(i, input.classes))
                : input.values == TestInput::Values::kPositive
                    ? 0.5f + random.uniform(i)
                    : static_cast<float>(random.normal(i));
  return values;
}

double norm(const Values& values) {
  double sum = 0;
  for (const float v : values) sum += double{v} * v;
  return std::sqrt(sum);
}

bool same_bits(const Values& a, const Values& b) {
  if (a.size() != b.size()) return false;
  return a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

void expect_same_bits(const std::vector<Values>& a, const std::vector<Values>& b,
                      const std::string& what) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i)
    EXPECT_TRUE(same_bits(a[i], b[i])) << what << " " << i << " has other bits";
}

std::vector<double> in_caffe_order(const Shape& shape, const Values& stored) {
  Values ordered(stored.size());
  to_caffe_order(shape, stored.data(), ordered.data());
  return {ordered.begin(), ordered.end()};
}

// One row on one device.
class Check {
 public:
  Check(Device& device, const LayerCase& row) : device_(device), row_(row) {
    options_.phase = row.phase;
    for (const TestInput& input : row.inputs) shapes_.push_back(input.shape);
    for (size_t i = 0; i < row.inputs.size(); ++i)
      inputs_.push_back(input_values(row.inputs[i],
                                     Random(LayerBench::kSeed, text(row.name, " input ", i)),
                                     static_cast<int>(i), static_cast<int>(row.inputs.size())));
  }

  void run() {
    const auto bench = check_contract();
    check_against_reference(*bench);
    if (bench->traits().forward_only || !row_.derivative) return;
    for (size_t i = 0; i < inputs_.size(); ++i)
      if (!gradients_.inputs[i].empty())
        check_gradient(*bench, text("bottom ", i), static_cast<int>(i), -1);
    for (size_t p = 0; p < bench->parameters().size(); ++p)
      if (!gradients_.parameters[p].empty())
        check_gradient(*bench, "parameter " + bench->parameters()[p]->name, -1,
                       static_cast<int>(p));
  }

  // The same contract with activations in bfloat16, and results that differ from float32's on the
  // same numbers by what is rounded: y or dx, dy, the kernel, what is saved, and y again where a
  // bias is added behind a plan, by 2^-9 each. False where the layer takes float32 alone.
  bool run_in_bfloat16() {
    options_.precision = DType::kBFloat16;
    if (make(options_)->traits().type != DType::kBFloat16) return false;
    round(inputs_);
    const auto bench = check_contract();
    options_.precision = DType::kFloat32;
    const auto exact = make(options_);
    expect_close(outputs_, exact->forward(), "top");
    if (bench->traits().forward_only) return true;
    const LayerBench::Gradients gradients = exact->backward(seeds_);
    expect_close(gradients_.inputs, gradients.inputs, "gradient of bottom");
    expect_close(gradients_.parameters, gradients.parameters, "gradient of parameter");
    return true;
  }

 private:
  static void round(std::vector<Values>& arrays) {
    for (Values& values : arrays)
      for (float& value : values) value = BFloat16::of(value).value();
  }

  // In relation to the largest.
  static void expect_close(const std::vector<Values>& got, const std::vector<Values>& expected,
                           const std::string& what) {
    constexpr double kTolerance = 5.0 / 512;
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(got[i].size(), expected[i].size());
      double largest = 0;
      for (const float v : expected[i]) largest = std::max(largest, std::fabs(double{v}));
      for (size_t k = 0; k < expected[i].size(); ++k)
        ASSERT_NEAR(got[i][k], expected[i][k], kTolerance * largest)
            << "number " << k << " of " << what << " " << i;
    }
  }

  // Everything but whether the numbers are right.
  std::unique_ptr<LayerBench> check_contract() {
    auto bench = make(options_);
    outputs_ = bench->forward();
    for (size_t o = 0; o < outputs_.size(); ++o)
      EXPECT_TRUE(std::all_of(outputs_[o].begin(), outputs_[o].end(),
                              [](float v) { return std::isfinite(v); }))
          << "top " << o << " depends on memory that nobody has written";
    expect_same_bits(bench->forward(), outputs_, "in a second run, top");
    check_sharing();
    if (bench->traits().forward_only) return bench;
    make_seeds();
    if (options_.precision == DType::kBFloat16) round(seeds_);
    gradients_ = bench->backward(seeds_);
    check_repeated_backward(*bench);
    check_fewer_gradients();
    check_reads(bench->traits());
    return bench;
  }

  std::unique_ptr<LayerBench> make(const BenchOptions& options) const {
    auto bench = std::make_unique<LayerBench>(device_, row_.layers, shapes_, options);
    for (size_t i = 0; i < inputs_.size(); ++i) bench->set_input(static_cast<int>(i), inputs_[i]);
    // Constant fillers would hide much; running statistics must stay positive.
    for (size_t p = 0; p < bench->parameters().size(); ++p) {
      const Random random(LayerBench::kSeed, text(row_.name, " parameter ", p));
      Values values = bench->parameter(static_cast<int>(p));
      const bool buffer = bench->parameters()[p]->kind == Parameter::Kind::kBuffer;
      for (size_t k = 0; k < values.size(); ++k)
        values[k] = buffer ? 0.5f + random.uniform(k) : static_cast<float>(random.normal(k));
      bench->set_parameter(static_cast<int>(p), values);
    }
    return bench;
  }

  // Float sums of up to a few hundred terms, compared in relation to the largest output.
  void check_against_reference(LayerBench& bench) const {
    if (row_.expected == nullptr) return;
    Arrays inputs, parameters;
    for (size_t i = 0; i < inputs_.size(); ++i)
      inputs.push_back(in_caffe_order(shapes_[i], inputs_[i]));
    for (size_t p = 0; p < bench.parameters().size(); ++p)
      parameters.push_back(
          in_caffe_order(bench.parameters()[p]->value.shape, bench.parameter(static_cast<int>(p))));
    const Arrays expected = row_.expected(inputs, parameters);
    ASSERT_EQ(expected.size(), outputs_.size());
    for (size_t o = 0; o < expected.size(); ++o) {
      const std::vector<double> got = in_caffe_order(bench.outputs()[o], outputs_[o]);
      ASSERT_EQ(got.size(), expected[o].size()) << "top " << o;
      double largest = 0;
      for (const double v : expected[o]) largest = std::max(largest, std::fabs(v));
      for (size_t k = 0; k < got.size(); ++k)
        ASSERT_NEAR(got[k], expected[o][k], 20 * kEpsilon * largest)
            << "number " << k << " of top " << o << ", " << bench.outputs()[o].str();
    }
  }

  // In place, wherever the layer allows it and backward() does not need what is lost.
  void check_sharing() {
    const auto bench = make(options_);
    for (const auto& [output, input] : bench->traits().may_overwrite) {
      ASSERT_EQ(output, 0);
      if (bench->traits().reads_input[input]) continue;
      BenchOptions options = options_;
      options.overwritten_input = input;
      SCOPED_TRACE(text("in place over bottom ", input));
      sharing_.push_back(options);
      expect_same_bits(make(options)->forward(), outputs_, "top");
    }
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (!bench->traits().gradient_may_overwrite[i]) continue;
      if (i > 0 && bench->traits().inputs_share_gradient) continue;
      BenchOptions options = options_;
      options.overwriting_gradient = static_cast<int>(i);
      sharing_.push_back(options);
    }
  }

  void make_seeds() {
    for (size_t o = 0; o < outputs_.size(); ++o) {
      const Random random(LayerBench::kSeed, text(row_.name, " seed ", o));
      Values seed(outputs_[o].size(), 0.0f);
      if (row_.differentiable_tops < 0 || static_cast<int>(o) < row_.differentiable_tops)
        for (size_t k = 0; k < seed.size(); ++k) seed[k] = static_cast<float>(random.normal(k));
      seeds_.push_back(std::move(seed));
    }
  }

  void check_repeated_backward(LayerBench& bench) {
    bench.forward();
    const LayerBench::Gradients again = bench.backward(seeds_);
    expect_same_bits(again.inputs, gradients_.inputs, "in a second run, the gradient of bottom");
    expect_same_bits(again.parameters, gradients_.parameters,
                     "in a second run, the gradient of parameter");
    bench.forward();
    const LayerBench::Gradients twice = bench.backward(seeds_, 2);
    expect_same_bits(twice.inputs, gradients_.inputs, "a second backward() adds to bottom");
    for (size_t p = 0; p < twice.parameters.size(); ++p) {
      const Values &one = gradients_.parameters[p], &two = twice.parameters[p];
      const double tolerance = 20 * kEpsilon * norm(one);
      for (size_t k = 0; k < one.size(); ++k)
        ASSERT_NEAR(two[k], 2 * one[k], tolerance)
            << "a second backward() does not add to number " << k << " of parameter "
            << bench.parameters()[p]->name;
    }
  }

  // Each subset of gradients has the bits that it has among all.
  void check_fewer_gradients() {
    std::vector<BenchOptions> fewer = sharing_;
    if (inputs_.size() > 1)
      for (size_t i = 0; i < inputs_.size(); ++i) {
        if (gradients_.inputs[i].empty()) continue;
        BenchOptions options = options_;
        options.want_inputs.assign(inputs_.size(), false);
        options.want_inputs[i] = true;
        fewer.push_back(options);
      }
    if (!gradients_.parameters.empty()) {
      BenchOptions options = options_;
      options.want_parameters = false;
      fewer.push_back(options);
      options = options_;
      options.want_inputs.assign(inputs_.size(), false);
      fewer.push_back(options);
      options = options_;
      options.weights_change_every_pass = false;
      fewer.push_back(options);
    }
    for (const BenchOptions& options : fewer) {
      SCOPED_TRACE(text("parameters wanted: ", options.want_parameters, ", over bottom ",
                        options.overwritten_input, ", gradient over that of the top: bottom ",
                        options.overwriting_gradient));
      const auto bench = make(options);
      expect_same_bits(bench->forward(), outputs_, "top");
      const LayerBench::Gradients some = bench->backward(seeds_);
      for (size_t i = 0; i < some.inputs.size(); ++i)
        EXPECT_TRUE(some.inputs[i].empty() || same_bits(some.inputs[i], gradients_.inputs[i]))
            << "bottom " << i;
      for (size_t p = 0; p < some.parameters.size(); ++p)
        EXPECT_TRUE(some.parameters[p].empty() ||
                    same_bits(some.parameters[p], gradients_.parameters[p]))
            << "parameter " << p;
    }
  }

  // What is kept for backward() costs memory, so backward() must need it.
  void check_reads(const NodeTraits& traits) const {
    const auto is_needed = [&](const BenchOptions& options) {
      const auto bench = make(options);
      bench->forward();
      const LayerBench::Gradients spoiled = bench->backward(seeds_);
      return !std::equal(spoiled.inputs.begin(), spoiled.inputs.end(), gradients_.inputs.begin(),
                         same_bits) ||
             !std::equal(spoiled.parameters.begin(), spoiled.parameters.end(),
                         gradients_.parameters.begin(), same_bits);
    };
    for (size_t i = 0; i < traits.reads_input.size(); ++i) {
      BenchOptions options = options_;
      options.spoiled_input = static_cast<int>(i);
      EXPECT_TRUE(!traits.reads_input[i] || is_needed(options))
          << "backward() asks for bottom " << i << " without need";
    }
    for (size_t o = 0; o < traits.reads_output.size(); ++o) {
      BenchOptions options = options_;
      options.spoiled_output = static_cast<int>(o);
      EXPECT_TRUE(!traits.reads_output[o] || is_needed(options))
          << "backward() asks for top " << o << " without need";
    }
  }

  // What is varied: an input, or else a parameter.
  void vary(LayerBench& bench, int input, int parameter, const Values& values) const {
    if (input >= 0)
      bench.set_input(input, values);
    else
      bench.set_parameter(parameter, values);
  }

  double objective(const std::vector<Values>& outputs, const std::vector<Values>& seeds) const {
    double sum = 0;
    for (size_t o = 0; o < outputs.size(); ++o)
      for (size_t k = 0; k < outputs[o].size(); ++k) sum += double{seeds[o][k]} * outputs[o][k];
    return sum;
  }

  // (L(x + h v) - L(x - h v)) / 2h against <gradient, v> with v of random signs; L = <seed, y> in
  // double. Outputs that ReLU closes on one side only have no derivative there, and are left out.
  //
  // The difference is wrong by h^2 / 6 times the third derivative along v, here at most 24 times
  // the gradient's norm, and by the rounding of y, some units in the last place, divided by h. Half
  // of h tells how large the former is where a layer bends more.
  void check_gradient(LayerBench& bench, const std::string& what, int input, int parameter) const {
    SCOPED_TRACE("gradient of " + what);
    const Values at = input >= 0 ? inputs_[input] : bench.parameter(parameter);
    const Random random(LayerBench::kSeed, text(row_.name, " direction of ", what));
    Values direction(at.size());
    for (size_t k = 0; k < at.size(); ++k) direction[k] = random.below(k, 2) == 0 ? -1.0f : 1.0f;
    std::vector<Values> seeds = seeds_;
    double numeric = difference(bench, at, direction, input, parameter, seeds);
    if (row_.bends) {
      const double half = difference(bench, at, direction, input, parameter, seeds, kStep / 2);
      numeric = (4 * half - numeric) / 3;
    }
    bench.forward();
    const LayerBench::Gradients gradients = bench.backward(seeds);
    const Values& gradient = input >= 0 ? gradients.inputs[input] : gradients.parameters[parameter];
    double analytic = 0, weight = 0;
    for (size_t k = 0; k < at.size(); ++k) analytic += double{gradient[k]} * direction[k];
    for (size_t o = 0; o < outputs_.size(); ++o)
      for (size_t k = 0; k < outputs_[o].size(); ++k)
        weight += std::pow(double{seeds[o][k]} * outputs_[o][k], 2);
    const double tolerance =
        4 * kStep * kStep * norm(gradient) + 8 * kEpsilon * std::sqrt(weight) / kStep;
    ASSERT_GT(norm(gradient), 0);
    EXPECT_NEAR(numeric, analytic, tolerance) << worst(bench, at, gradient, input, parameter);
  }

  // Of L along a direction; clears the seeds of outputs that have a kink there.
  double difference(LayerBench& bench, const Values& at, const Values& direction, int input,
                    int parameter, std::vector<Values>& seeds, float step = kStep) const {
    Values up = at, down = at;
    for (size_t k = 0; k < at.size(); ++k) {
      up[k] += step * direction[k];
      down[k] -= step * direction[k];
    }
    vary(bench, input, parameter, up);
    const std::vector<Values> above = bench.forward();
    vary(bench, input, parameter, down);
    const std::vector<Values> below = bench.forward();
    vary(bench, input, parameter, at);
    for (size_t o = 0; o < above.size(); ++o)
      for (size_t k = 0; k < above[o].size(); ++k)
        if ((above[o][k] == 0) != (below[o][k] == 0)) seeds[o][k] = 0;
    return (objective(above, seeds) - objective(below, seeds)) / (2 * step);
  }

  // Locates a failure, element by element.
  std::string worst(LayerBench& bench, const Values& at, const Values& gradient, int input,
                    int parameter) const {
    size_t worst = 0;
    double largest = -1, found = 0;
    for (size_t k = 0; k < std::min<size_t>(at.size(), 500); ++k) {
      Values direction(at.size(), 0.0f);
      direction[k] = 1;
      std::vector<Values> seeds = seeds_;
      const double numeric = difference(bench, at, direction, input, parameter, seeds);
      if (std::fabs(numeric - gradient[k]) <= largest) continue;
      worst = k, largest = std::fabs(numeric - gradient[k]), found = numeric;
    }
    return text("farthest off is number ", worst, " of ", at.size(), ": the gradient is ",
                gradient[worst], ", the difference quotient ", found);
  }

  Device& device_;
  const LayerCase& row_;
  BenchOptions options_;
  std::vector<BenchOptions> sharing_;
  std::vector<Shape> shapes_;
  std::vector<Values> inputs_, outputs_, seeds_;
  LayerBench::Gradients gradients_;
};

}  // namespace

void check_layer(Device& device, const LayerCase& row) {
  Check check(device, row);
  check.run();
}

bool check_layer_in_bfloat16(Device& device, const LayerCase& row) {
  Check check(device, row);
  return check.run_in_bfloat16();
}

}  // namespace orepa
