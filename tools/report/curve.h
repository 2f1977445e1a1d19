// A curve of a run: numbers over its iterations.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace orepa::tool {

struct Point {
  int64_t iteration = 0;
  double epoch = 0;  // 0 where the run counts none
  double value = 0;  // finite
  bool operator==(const Point&) const = default;
};

struct Curve {
  std::string name;
  std::vector<Point> points;  // iterations ascend
};

// At most `most` of the points, at least 4, in their order: the first, the last and, of each
// stretch between them, the lowest and the highest, so that no peak is lost.
std::vector<Point> thinned(const std::vector<Point>& points, size_t most);

// A running mean, at `count` points that lie evenly among these, each over the `width` nearest.
// REQUIRES: 0 < width <= points.size(), count > 1
std::vector<Point> running_mean(const std::vector<Point>& points, size_t width, size_t count);

// Adds a point to the curve of that name, which is made where there is none. A run that went on
// from a snapshot did steps again: points from this iteration on are dropped. Nothing is added
// where the value is not finite.
void add_point(std::vector<Curve>& curves, const std::string& name, const Point& point);

}  // namespace orepa::tool
