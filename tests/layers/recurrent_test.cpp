// What RNN and LSTM hand from pass to pass, and what they say where they cannot be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "orepa/net.h"
#include "orepa/random.h"
#include "tests/error_of.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

using Numbers = std::vector<float>;

constexpr int64_t kSequences = 2, kInputs = 3;

std::string input(const std::string& name, const std::vector<int64_t>& extents) {
  std::string dims;
  for (const int64_t extent : extents) dims += text("dim: ", extent, " ");
  return text("layer { name: '", name, "' type: 'Input' top: '", name, "' input_param { shape { ",
              dims, "} } } ");
}

std::string net_of(const std::string& type, int64_t steps) {
  return input("x", {steps, kSequences, kInputs}) + input("cont", {steps, kSequences}) +
         "layer { name: 'it' type: '" + type +
         "' bottom: 'x' bottom: 'cont' top: 'y' recurrent_param { num_output: 4 "
         "weight_filler { type: 'gaussian' } } }";
}

Numbers normal(int64_t count) {
  const Random random(5, "sequences");
  Numbers values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random.normal(i));
  return values;
}

Numbers part(const Numbers& of, size_t begin, size_t end) {
  return {of.begin() + static_cast<std::ptrdiff_t>(begin),
          of.begin() + static_cast<std::ptrdiff_t>(end)};
}

class RecurrentStates : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Net> net(int64_t steps, Phase phase = Phase::kTest) {
    NetOptions options;
    options.phase = phase;
    return std::make_unique<Net>(NetSpec::parse(net_of(GetParam(), steps), "net.prototxt"),
                                 parameters_, arena_, options);
  }
  static Numbers pass(Net& net, const Numbers& x, const Numbers& cont) {
    net.set("x", x);
    net.set("cont", cont);
    net.prepare();
    net.forward(0);
    return net.read("y");
  }

  std::unique_ptr<Device> device_ = test_device();
  Parameters parameters_{*device_, 1, true};
  Arena arena_{*device_};
  const Numbers x_ = normal(6 * kSequences * kInputs), first_ = part(x_, 0, x_.size() / 2),
                second_ = part(x_, x_.size() / 2, x_.size());
};

// The first sequence goes on where the second half begins, the other one ends there.
TEST_P(RecurrentStates, GoOnInTheNextPassOfTheirNet) {
  const Numbers begins{0, 0, 1, 1, 1, 1}, goes_on{1, 0, 1, 1, 1, 1};
  Numbers cont = begins;
  cont.insert(cont.end(), goes_on.begin(), goes_on.end());
  const auto whole = net(6), half = net(3), other = net(3, Phase::kTrain);
  const Numbers expected = pass(*whole, x_, cont);

  EXPECT_EQ(pass(*half, first_, begins), part(expected, 0, expected.size() / 2));
  // Another net over the same parameters has its own.
  const Numbers of_other = pass(*other, second_, goes_on);
  const Numbers after = pass(*half, second_, goes_on);
  EXPECT_EQ(after, part(expected, expected.size() / 2, expected.size()));
  EXPECT_NE(of_other, after);
}

TEST_P(RecurrentStates, AreZeroWhereASequenceBegins) {
  const Numbers begins{0, 0, 1, 1, 1, 1}, ones(6, 1);
  const auto fresh = net(3), used = net(3);
  const Numbers expected = pass(*fresh, first_, ones);  // of a new net: 0
  pass(*used, Numbers(first_.size(), NAN), ones);
  EXPECT_EQ(pass(*used, first_, begins), expected);
}

INSTANTIATE_TEST_SUITE_P(Types, RecurrentStates, testing::Values("LSTM", "RNN"),
                         [](const auto& info) { return info.param; });

TEST(RecurrentErrors, SayWhatIsWrong) {
  struct Row {
    std::string bottoms, fields, expected, tops = "top: 'y'";
  };
  const std::string x = "bottom: 'x' ", cont = "bottom: 'cont' ", exposed = "expose_hidden: true ";
  const std::string two_tops = "top: 'y' top: 'h'";
  for (const Row& row : std::vector<Row>{
           {x, "", "2 or 3 bottoms; got 1"},
           {x + cont + cont + cont, "", "2 or 3 bottoms; got 4"},
           {x + cont, exposed, "3 or 4 bottoms; got 2", two_tops},
           {"bottom: 'vector' " + cont, "", "bottom 0 must be T x N x ..., got 5"},
           {x + x, "", "bottom 1, cont, must be 5 x 2, got 5 x 2 x 3"},
           {x + cont, "", "num_output must be positive, got 0"},
           {x + cont, "num_output: 4000000", "parameter \"hidden_weight\" would be"},
           {x + cont + "bottom: 'vector'", "num_output: 4",
            "bottom 2, x_static, must be 2 x ..., got 5"},
           {x + cont + x, exposed + "num_output: 4",
            "bottom 2, a first state, must be 1 x 2 x 4, got 5 x 2 x 3", two_tops},
           {x + cont, "num_output: 4", "makes 1 top, but 2 are named", two_tops},
       }) {
    const std::string net = input("x", {5, 2, 3}) + input("cont", {5, 2}) + input("vector", {5}) +
                            "\nlayer { name: 'it' type: 'RNN' " + row.bottoms + row.tops +
                            " recurrent_param { " + row.fields + " } }";
    const auto device = test_device();
    Parameters parameters(*device, 1, true);
    Arena arena(*device);
    const std::string error =
        error_of([&] { Net(NetSpec::parse(net, "bad.prototxt"), parameters, arena, {}); });
    EXPECT_THAT(error, testing::HasSubstr("layer \"it\" (RNN): "));
    EXPECT_THAT(error, testing::HasSubstr(row.expected));
    EXPECT_THAT(error, testing::StartsWith("bad.prototxt:2:"));
  }
}

TEST(RecurrentErrors, OfAnLSTMUnit) {
  const auto error = [](const std::vector<int64_t>& c, const std::vector<int64_t>& sums,
                        const std::vector<int64_t>& cont) {
    const std::string net = input("c", c) + input("sums", sums) + input("cont", cont) +
                            "layer { name: 'it' type: 'LSTMUnit' bottom: 'c' bottom: 'sums' "
                            "bottom: 'cont' top: 'y' top: 'h' }";
    const auto device = test_device();
    Parameters parameters(*device, 1, true);
    Arena arena(*device);
    return error_of([&] { Net(NetSpec::parse(net, "bad.prototxt"), parameters, arena, {}); });
  };
  EXPECT_THAT(error({2, 5, 3}, {1, 5, 12}, {1, 5}),
              testing::HasSubstr("bottom 0, c, must be 1 x N x D, got 2 x 5 x 3"));
  EXPECT_THAT(error({1, 5, 3}, {1, 5, 9}, {1, 5}),
              testing::HasSubstr("bottom 1 must be 1 x 5 x 12, got 1 x 5 x 9"));
  EXPECT_THAT(error({1, 5, 3}, {1, 5, 12}, {5}),
              testing::HasSubstr("bottom 2, cont, must be 1 x 5, got 5"));
}

}  // namespace
}  // namespace orepa
