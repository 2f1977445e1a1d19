#include "orepa/error.h"

#include <gtest/gtest.h>

namespace orepa {
namespace {

TEST(NearestName, FindsTheLeastEditDistance) {
  const std::vector<std::string> known = {"Convolution", "Pooling", "Sigmoid"};
  EXPECT_EQ(nearest_name("Convolutoin", known), "Convolution");
  EXPECT_EQ(nearest_name("pooling", known), "Pooling");
  EXPECT_EQ(nearest_name("Sigmoid", known), "Sigmoid");
}

TEST(NearestName, IsEmptyWhereNothingIsSimilar) {
  EXPECT_EQ(nearest_name("Xyz", {"Convolution", "Pooling"}), "");
  EXPECT_EQ(nearest_name("", {"ReLU"}), "");
  EXPECT_EQ(nearest_name("ReLU", {}), "");
}

TEST(NearestName, AllowsHalfTheLetters) {
  EXPECT_EQ(nearest_name("abcd", {"abxy"}), "abxy");
  EXPECT_EQ(nearest_name("abcd", {"axyz"}), "");
}

// Quadratic work would take hours.
TEST(NearestName, OfAHugeNameIsCheap) {
  const std::string huge(1'000'000, 'x');
  EXPECT_EQ(nearest_name(huge, {"ReLU", "Convolution", huge + "y"}), "");
}

TEST(Fail, WritesItsPartsOneAfterAnother) {
  try {
    require(true, "nothing");
    require(1 > 2, "got ", 3, " of ", 4.5, '!');
    FAIL() << "should have thrown";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "got 3 of 4.5!");
  }
}

}  // namespace
}  // namespace orepa
