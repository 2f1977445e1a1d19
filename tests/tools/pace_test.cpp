// What a training predicts of itself, by clocks that are given.
#include "tools/pace.h"

#include <gtest/gtest.h>

namespace orepa::tool {
namespace {

TEST(Pace, IsThatOfTheLastMinutes) {
  Pace pace;
  EXPECT_FALSE(pace.seconds_of(1, 0));
  pace.count(10, 5);
  EXPECT_DOUBLE_EQ(*pace.seconds_of(100, 0), 50);
  for (int i = 0; i < 600; ++i) pace.count(1, 1);  // ten minutes at half the pace
  EXPECT_NEAR(*pace.seconds_of(100, 0), 100, 0.1);
  pace.count(20, 5);  // a short burst changes little
  EXPECT_GT(*pace.seconds_of(100, 0), 80);
  for (int i = 0; i < 60; ++i) pace.count(4, 1);  // a minute counts
  EXPECT_LT(*pace.seconds_of(100, 0), 50);
}

TEST(Pace, CountsTheTestsToCome) {
  Pace pace;
  pace.count(1, 2);
  pace.count_test(30);
  EXPECT_DOUBLE_EQ(*pace.seconds_of(10, 3), 110);
  EXPECT_EQ(tests_to_come(0, 10, 0), 0);
  EXPECT_EQ(tests_to_come(0, 10, 5), 2);
  EXPECT_EQ(tests_to_come(5, 10, 5), 1);
  EXPECT_EQ(tests_to_come(4, 11, 5), 3);  // 5, 10 and the end
  EXPECT_EQ(tests_to_come(10, 11, 5), 1);
  EXPECT_EQ(tests_to_come(11, 11, 5), 0);
}

TEST(DataWait, WarnsOfLongWaitsButNotOften) {
  DataWait wait;
  EXPECT_FALSE(wait.look(5, 5));   // too early to tell
  EXPECT_FALSE(wait.look(10, 1));  // a tenth
  EXPECT_FALSE(wait.look(20, 3));  // a fifth
  EXPECT_DOUBLE_EQ(*wait.look(30, 6), 0.3);
  EXPECT_FALSE(wait.look(40, 16));  // said already
  EXPECT_FALSE(wait.look(320, 200));
  EXPECT_DOUBLE_EQ(*wait.look(340, 210), 0.5);
  EXPECT_FALSE(wait.look(1000, 211));
}

}  // namespace
}  // namespace orepa::tool
