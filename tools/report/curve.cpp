#include "report/curve.h"

#include <algorithm>
#include <cmath>

namespace orepa::tool {

std::vector<Point> thinned(const std::vector<Point>& points, size_t most) {
  if (points.size() <= most) return points;
  const auto lower = [](const Point& a, const Point& b) { return a.value < b.value; };
  const size_t stretches = (most - 2) / 2, inner = points.size() - 2;
  std::vector<Point> kept{points.front()};
  for (size_t s = 0; s < stretches; ++s) {
    const auto begin = points.begin() + static_cast<std::ptrdiff_t>(1 + inner * s / stretches);
    const auto end = points.begin() + static_cast<std::ptrdiff_t>(1 + inner * (s + 1) / stretches);
    const auto [low, high] = std::minmax_element(begin, end, lower);
    kept.push_back(*std::min(low, high));
    if (low != high) kept.push_back(*std::max(low, high));
  }
  kept.push_back(points.back());
  return kept;
}

std::vector<Point> running_mean(const std::vector<Point>& points, size_t width, size_t count) {
  std::vector<double> sums{0};  // of all points before the index
  for (const Point& point : points) sums.push_back(sums.back() + point.value);
  std::vector<Point> means;
  for (size_t m = 0; m < count; ++m) {
    const size_t centre = m * (points.size() - 1) / (count - 1);
    const size_t begin = std::min(centre - std::min(centre, width / 2), points.size() - width);
    Point mean = points[centre];
    mean.value = (sums[begin + width] - sums[begin]) / static_cast<double>(width);
    means.push_back(mean);
  }
  return means;
}

void add_point(std::vector<Curve>& curves, const std::string& name, const Point& point) {
  auto curve = std::find_if(curves.begin(), curves.end(),
                            [&](const Curve& known) { return known.name == name; });
  if (curve == curves.end()) curve = curves.insert(curve, {name, {}});
  std::vector<Point>& points = curve->points;
  while (!points.empty() && points.back().iteration >= point.iteration) points.pop_back();
  if (std::isfinite(point.value)) points.push_back(point);
}

}  // namespace orepa::tool
