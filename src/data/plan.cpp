#include "data/plan.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace orepa {
namespace {

// Along one axis: from so many pixels to so many.
struct Scale {
  int64_t from, to;
  int64_t operator()(int64_t position) const {
    return std::llround(static_cast<double>(position) * static_cast<double>(to) /
                        static_cast<double>(from));
  }
  // The pixels between two positions, `to` at most.
  std::pair<int64_t, int64_t> part(int64_t begin, int64_t length) const {
    const int64_t first = (*this)(begin);
    return {first, (*this)(begin + length) - first};
  }
};

}  // namespace

void Plan::scale(int64_t shorter_side) {
  const Extent seen = view.window.extent();
  const int64_t shorter = std::min(seen.height, seen.width);
  const auto side = [&](int64_t length) { return Scale{shorter, shorter_side}(length); };
  const Scale rows{seen.height, side(seen.height)}, columns{seen.width, side(seen.width)};
  const auto scaled = [&](const Box& box) {
    const auto [top, height] = rows.part(box.top, box.height);
    const auto [left, width] = columns.part(box.left, box.width);
    return Box{top, left, height, width};
  };
  view.size = {std::max<int64_t>(rows(view.size.height), 1),
               std::max<int64_t>(columns(view.size.width), 1)};
  view.window = {rows(view.window.top), columns(view.window.left), rows.to, columns.to};
  erased = scaled(erased);
}

}  // namespace orepa
