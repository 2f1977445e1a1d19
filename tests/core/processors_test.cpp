#include "core/processors.h"

#include <gtest/gtest.h>
#include <omp.h>
#include <sched.h>

#include <thread>

namespace orepa {
namespace {

const int kUsable = omp_get_num_procs();

TEST(Processors, AreThoseThatItMayUseUnlessItTakesOthers) {
  EXPECT_EQ(processors(), kUsable);
  take_processors(kUsable + 5);
  EXPECT_EQ(processors(), kUsable + 5);
  take_processors(0);
}

TEST(Processors, OfAMachineAreDivided) {
  if (kUsable < static_cast<int>(std::thread::hardware_concurrency()))
    GTEST_SKIP() << "bound to a part of the machine";
  EXPECT_EQ(part_of_machine(1), kUsable);
  EXPECT_EQ(part_of_machine(2), std::max(1, kUsable / 2));
  EXPECT_EQ(part_of_machine(kUsable), 1);
  EXPECT_EQ(part_of_machine(kUsable + 1), 1);
}

// To all but one.
TEST(Processors, ThatItWasBoundToAreItsOwn) {
  if (kUsable < 2) GTEST_SKIP() << "there is one";
  cpu_set_t before, bound;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  bound = before;
  int first = 0;
  while (!CPU_ISSET(first, &bound)) ++first;
  CPU_CLR(first, &bound);
  ASSERT_EQ(sched_setaffinity(0, sizeof bound, &bound), 0);
  EXPECT_EQ(part_of_machine(1), kUsable - 1);
  EXPECT_EQ(part_of_machine(kUsable), kUsable - 1);
  EXPECT_EQ(processors(), kUsable - 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

}  // namespace
}  // namespace orepa
