#include "core/pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/error_of.h"

namespace orepa {
namespace {

using testing::HasSubstr;

TEST(Pattern, MatchesWholeNames) {
  const Pattern pattern("param_rule", "conv(1|2)/.*");
  EXPECT_TRUE(pattern.matches("conv2/bias"));
  EXPECT_FALSE(pattern.matches("res/conv2/bias"));
  EXPECT_FALSE(pattern.matches("conv2"));
}

TEST(Pattern, SaysWhatItDoesNotOffer) {
  const auto error = [](const std::string& pattern) {
    return error_of([&] { Pattern("param_rule", pattern); });
  };
  EXPECT_THAT(error("conv("), HasSubstr("param_rule \"conv(\" is no regular expression"));
  EXPECT_THAT(error("(?!conv1)conv.*"), HasSubstr("look-ahead"));
  EXPECT_THAT(error("(?<=conv)1"), HasSubstr("look-behind"));
  EXPECT_THAT(error("(conv)\\1"), HasSubstr("back-references, \\1"));
}

// std::regex exhausts the stack on the first and does not end on the second.
TEST(Pattern, TakesNeitherStackNorTimeWithoutEnd) {
  constexpr size_t kDeep = 20'000;
  EXPECT_TRUE(
      Pattern("param_rule", std::string(kDeep, '(') + "a" + std::string(kDeep, ')')).matches("a"));
  EXPECT_NE(error_of([&] { Pattern("param_rule", "((((a{99}){99}){99}){99}){99}"); }), "");
  EXPECT_FALSE(Pattern("param_rule", "((.*)*)*((.*)*)*z").matches(std::string(100'000, 'x')));
}

}  // namespace
}  // namespace orepa
