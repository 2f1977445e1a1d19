#include "orepa/params.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "orepa/error.h"
#include "tests/error_of.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

using testing::ElementsAre;

Parameter named(const std::string& layer, const std::string& name) {
  Parameter parameter;
  parameter.layer = layer;
  parameter.name = name;
  parameter.filler = Filler::constant(1.5);
  return parameter;
}

class ParametersTest : public testing::Test {
 protected:
  std::unique_ptr<Device> device_ = test_device();
};

TEST_F(ParametersTest, NetsThatDeclareTheSameFindTheSame) {
  Parameters parameters(*device_, 1, true);
  Parameter& weight = parameters.declare(named("conv", "weight"), {2, 3});
  parameters.allocate();
  const void* memory = weight.value.data;
  EXPECT_EQ(&parameters.declare(named("conv", "weight"), {2, 3}), &weight);
  Parameter& later = parameters.declare(named("fc", "weight"), {4});
  parameters.allocate();  // what is there already keeps its memory and its values
  EXPECT_EQ(weight.value.data, memory);
  EXPECT_THAT(parameters.read(later), ElementsAre(1.5f, 1.5f, 1.5f, 1.5f));
  EXPECT_EQ(parameters.find("conv", "weight"), &weight);
  EXPECT_EQ(parameters.find("conv", "bias"), nullptr);
  EXPECT_THROW(parameters.declare(named("conv", "weight"), {3, 2}), Error);
}

// Else a TEST Convolution would read the W that a TRAIN ORepaConv of its name composed a step ago.
TEST_F(ParametersTest, OneNameHasOneRole) {
  Parameters parameters(*device_, 1, true);
  Parameter derived = named("conv", "weight"), factor = named("conv", "kxk.weight");
  derived.kind = Parameter::Kind::kDerived;
  factor.factor = true;
  parameters.declare(derived, {2, 3});
  parameters.declare(factor, {2, 3});
  EXPECT_EQ(
      error_of([&] {
        parameters.declare(named("conv", "weight"), {2, 3});
      }),
      "layer \"conv\": parameter \"weight\" is computed from branches (ORepaConv) in another "
      "net of this run, but a learned weight here; a layer of one name needs the same type in "
      "all of them");
  EXPECT_THROW(parameters.declare(named("conv", "kxk.weight"), {2, 3}), Error);
  Parameter statistic = named("conv", "weight");
  statistic.kind = Parameter::Kind::kBuffer;
  EXPECT_THROW(parameters.declare(statistic, {2, 3}), Error);
}

TEST_F(ParametersTest, GradientsAreThereWhereTheyAreWanted) {
  Parameters training(*device_, 1, true), testing_only(*device_, 1, false);
  for (Parameters* parameters : {&training, &testing_only}) {
    parameters->declare(named("l", "weight"), {3});
    Parameter frozen = named("l", "frozen"), buffer = named("l", "mean"), factor = named("l", "f");
    frozen.lr_mult = 0;
    buffer.kind = Parameter::Kind::kBuffer;
    factor.factor = true;  // its gradient exists only inside Net::finish()
    parameters->declare(frozen, {3});
    parameters->declare(buffer, {3});
    parameters->declare(factor, {3});
    parameters->allocate();
    for (const auto& parameter : parameters->all())
      EXPECT_EQ(static_cast<bool>(parameter->gradient),
                parameters == &training && parameter->name == "weight")
          << parameter->name;
  }
}

TEST_F(ParametersTest, TheLastRuleThatMatchesFullyWins) {
  const std::vector<ParameterRule> rules = {
      {".*bias", true, true, 2, 0}, {"conv2/.*", true, false, 0.5f, 1}, {"conv", true, true, 9, 9}};
  Parameters parameters(*device_, 1, true, rules);
  const auto multipliers = [&](const std::string& layer, const std::string& name) {
    const Parameter& parameter = parameters.declare(named(layer, name), {1});
    return std::vector<float>{parameter.lr_mult, parameter.decay_mult};
  };
  EXPECT_THAT(multipliers("conv1", "weight"), ElementsAre(1, 1));
  EXPECT_THAT(multipliers("conv1", "bias"), ElementsAre(2, 0));
  EXPECT_THAT(multipliers("conv2", "bias"), ElementsAre(0.5f, 0));
}

TEST_F(ParametersTest, ARuleMustBeARegularExpression) {
  EXPECT_THROW(Parameters(*device_, 1, true, {{"conv(", true, false, 1, 1}}), Error);
}

TEST_F(ParametersTest, ValuesAreReadAndWrittenInCaffesOrder) {
  Parameters parameters(*device_, 1, false);
  Parameter& kernel = parameters.declare(named("conv", "weight"), {1, 2, 1, 3});
  parameters.allocate();
  parameters.write(kernel, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(parameters.read(kernel), ElementsAre(1, 2, 3, 4, 5, 6));
  std::vector<float> stored(6);
  device_->copy_to_host(stored.data(), kernel.value.data, kernel.value.bytes());
  EXPECT_THAT(stored, ElementsAre(1, 4, 2, 5, 3, 6));  // OHWI
  EXPECT_THROW(parameters.write(kernel, {1, 2}), Error);
}

TEST_F(ParametersTest, ValuesDependOnTheirNameAlone) {
  Parameter gaussian = named("conv", "weight");
  gaussian.filler.type = "gaussian";
  Parameters alone(*device_, 1, false), second(*device_, 1, false);
  const Parameter& a = alone.declare(gaussian, {5});
  second.declare(named("other", "weight"), {7});
  const Parameter& b = second.declare(gaussian, {5});
  alone.allocate();
  second.allocate();
  EXPECT_EQ(alone.read(a), second.read(b));
}

}  // namespace
}  // namespace orepa
