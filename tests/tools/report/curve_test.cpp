#include "tools/report/curve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace orepa::tool {
namespace {

std::vector<Point> wave(int64_t count) {
  std::vector<Point> points;
  for (int64_t i = 0; i < count; ++i)
    points.push_back({i * 10, static_cast<double>(i) / 100, std::sin(static_cast<double>(i))});
  return points;
}

bool by_value(const Point& a, const Point& b) { return a.value < b.value; }

TEST(Thinned, LeavesShortCurvesAsTheyAre) {
  EXPECT_EQ(thinned({}, 10), std::vector<Point>());
  for (const int64_t count : {1, 9, 10}) EXPECT_EQ(thinned(wave(count), 10), wave(count));
}

TEST(Thinned, KeepsEndsAndPeaksInTheirOrder) {
  for (const size_t most : {4, 10, 11, 100, 2000})
    for (const int64_t count : {2001, 12345, 100000}) {
      std::vector<Point> points = wave(count);
      points[static_cast<size_t>(count / 3)].value = 50;
      points[static_cast<size_t>(count / 2)].value = -50;
      const std::vector<Point> kept = thinned(points, most);
      EXPECT_LE(kept.size(), most);
      EXPECT_GT(kept.size(), most / 2);
      EXPECT_EQ(kept.front(), points.front());
      EXPECT_EQ(kept.back(), points.back());
      EXPECT_EQ(std::max_element(kept.begin(), kept.end(), by_value)->value, 50);
      EXPECT_EQ(std::min_element(kept.begin(), kept.end(), by_value)->value, -50);
      for (size_t i = 1; i < kept.size(); ++i) EXPECT_LT(kept[i - 1].iteration, kept[i].iteration);
    }
}

// Every stretch of the curve has its own peaks, not only the curve.
TEST(Thinned, KeepsThePeaksOfEveryStretch) {
  std::vector<Point> points(1002, Point{0, 0, 1});
  for (size_t i = 0; i < points.size(); ++i) points[i].iteration = static_cast<int64_t>(i);
  for (size_t stretch = 0; stretch < 10; ++stretch) {
    points[1 + stretch * 100 + 20].value = 2;
    points[1 + stretch * 100 + 70].value = 0;
  }
  const std::vector<Point> kept = thinned(points, 22);
  ASSERT_EQ(kept.size(), 22u);
  for (size_t i = 1; i < 21; ++i) EXPECT_EQ(kept[i].value, i % 2 == 1 ? 2 : 0) << i;
}

TEST(RunningMean, IsTheMeanOfTheNeighbours) {
  const std::vector<Point> points = wave(101);
  const std::vector<Point> means = running_mean(points, 5, 11);
  ASSERT_EQ(means.size(), 11u);
  for (size_t m = 0; m < means.size(); ++m) {
    EXPECT_EQ(means[m].iteration, points[m * 10].iteration);
    const size_t begin = m == 0 ? 0 : m == 10 ? 96 : m * 10 - 2;
    double sum = 0;
    for (size_t i = begin; i < begin + 5; ++i) sum += points[i].value;
    EXPECT_NEAR(means[m].value, sum / 5, 1e-12) << m;
  }
}

TEST(AddPoint, DropsWhatARunThatWentOnDidAgain) {
  std::vector<Curve> curves;
  for (const int64_t iteration : {10, 20, 30, 40}) add_point(curves, "loss", {iteration, 0, 1});
  add_point(curves, "rate", {40, 0, 1});
  for (const int64_t iteration : {30, 40}) add_point(curves, "loss", {iteration, 0, 2});
  ASSERT_EQ(curves.size(), 2u);
  EXPECT_EQ(curves[0].points, (std::vector<Point>{{10, 0, 1}, {20, 0, 1}, {30, 0, 2}, {40, 0, 2}}));
  EXPECT_EQ(curves[1].points, (std::vector<Point>{{40, 0, 1}}));
}

TEST(AddPoint, LeavesOutWhatIsNotFinite) {
  std::vector<Curve> curves;
  add_point(curves, "loss", {1, 0, 1});
  add_point(curves, "loss", {2, 0, std::numeric_limits<double>::quiet_NaN()});
  add_point(curves, "loss", {3, 0, std::numeric_limits<double>::infinity()});
  EXPECT_EQ(curves.at(0).points, (std::vector<Point>{{1, 0, 1}}));
}

}  // namespace
}  // namespace orepa::tool
