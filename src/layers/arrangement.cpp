#include "layers/arrangement.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "layers/transpose.h"
#include "orepa/numbers.h"

namespace orepa {
namespace {

using Axis = Arrangement::Axis;
using Step = Arrangement::Step;
using Walk = Arrangement::Walk;

// Of a block that is transposed, so that both sides use whole cache lines, and a warp all its
// lanes.
constexpr int64_t kTransposedLines = 16, kTransposedColumns = 32;
// Numbers of any other block, and of a team where blocks are small.
constexpr int64_t kBlock = 1024;
// Columns of a block that is summed up.
constexpr int64_t kSums = 64;

// In the order in which `to` lies in memory; axes that lie one behind another become one.
std::vector<Step> steps_over(std::vector<Axis> axes, int64_t Axis::*from, int64_t Axis::*to) {
  std::erase_if(axes, [](const Axis& axis) { return axis.extent == 1; });
  std::stable_sort(axes.begin(), axes.end(),
                   [&](const Axis& a, const Axis& b) { return a.*to > b.*to; });
  std::vector<Step> steps;
  for (const Axis& axis : axes) {
    const Step step{axis.extent, axis.*from, axis.*to};
    const bool follows = !steps.empty() && steps.back().from == step.from * step.extent &&
                         steps.back().to == step.to * step.extent;
    if (follows)
      steps.back() = {steps.back().extent * step.extent, step.from, step.to};
    else
      steps.push_back(step);
  }
  return steps;
}

Step blocks_along(const Step& step, int64_t block) {
  return {(step.extent + block - 1) / block, step.from * block, step.to * block};
}

// The innermost axis that is worth a loop, else the longest.
std::vector<Step>::iterator long_line(std::vector<Step>& steps) {
  constexpr int64_t kLong = 8;
  const auto inner = std::find_if(steps.rbegin(), steps.rend(),
                                  [](const Step& step) { return step.extent >= kLong; });
  if (inner != steps.rend()) return inner.base() - 1;
  return std::max_element(steps.begin(), steps.end(),
                          [](const Step& a, const Step& b) { return a.extent < b.extent; });
}

// Columns lie closest in the tensor that is written. Lines lie closest in the one that is read, if
// columns do not.
Walk walk_over(const std::vector<Axis>& axes, int64_t Axis::*from, int64_t Axis::*to, bool sums) {
  std::vector<Step> steps = steps_over(axes, from, to);
  if (steps.empty()) steps.push_back({1, 1, 1});
  Walk walk;
  walk.columns = steps.back();
  steps.pop_back();
  if (steps.empty()) steps.push_back({1, 0, 0});
  require(steps.size() <= Arrangement::kMostAxes, "numbers are to be moved along ",
          steps.size() + 1, " axes at once, and at most ", Arrangement::kMostAxes + 1,
          " are offered");
  const auto is_closer = [](const Step& a, const Step& b) {
    return a.from > 0 && (b.from == 0 || a.from < b.from);
  };
  auto line = std::min_element(steps.begin(), steps.end(), is_closer);
  const bool transposes = !sums && is_closer(*line, walk.columns);
  if (!transposes) line = long_line(steps);
  walk.lines = *line;
  walk.block_columns = std::min(walk.columns.extent, transposes ? kTransposedColumns
                                                     : sums     ? kSums
                                                                : kBlock);
  walk.block_lines =
      std::min(walk.lines.extent, transposes ? kTransposedLines : kBlock / walk.block_columns);
  walk.along_lines = static_cast<int>(line - steps.begin());
  walk.along_columns = static_cast<int>(steps.size());
  *line = blocks_along(walk.lines, walk.block_lines);
  steps.push_back(blocks_along(walk.columns, walk.block_columns));
  // Of what is transposed, blocks follow one another along the longer side: memory has fewer places
  // to be read or written at once.
  if (transposes && walk.lines.extent > walk.columns.extent) {
    std::swap(steps[static_cast<size_t>(walk.along_lines)], steps.back());
    std::swap(walk.along_lines, walk.along_columns);
  }
  for (const Step& step : steps) {
    walk.axes[walk.outer++] = step;
    walk.blocks *= step.extent;
  }
  return walk;
}

// Where a block begins.
struct Place {
  int64_t at[Arrangement::kMostAxes + 1], from, to;

  OREPA_HD Place(const Walk& walk, int64_t block) : from(walk.from_begin), to(walk.to_begin) {
    for (int a = walk.outer - 1; a >= 0; --a) {
      at[a] = block % walk.axes[a].extent;
      block /= walk.axes[a].extent;
      from += at[a] * walk.axes[a].from;
      to += at[a] * walk.axes[a].to;
    }
  }
  // The block behind it; without divisions, for blocks may be small.
  OREPA_HD void advance(const Walk& walk) {
    for (int a = walk.outer - 1; a >= 0; --a) {
      const Step& axis = walk.axes[a];
      from += axis.from;
      to += axis.to;
      if (++at[a] < axis.extent) return;
      at[a] = 0;
      from -= axis.extent * axis.from;
      to -= axis.extent * axis.to;
    }
  }
  OREPA_HD int64_t lines(const Walk& walk) const {
    const int64_t left = walk.lines.extent - at[walk.along_lines] * walk.block_lines;
    return left < walk.block_lines ? left : walk.block_lines;
  }
  OREPA_HD int64_t columns(const Walk& walk) const {
    const int64_t left = walk.columns.extent - at[walk.along_columns] * walk.block_columns;
    return left < walk.block_columns ? left : walk.block_columns;
  }
};

// The blocks of team r, each by `block`, of Place, Team.
template <class Block>
struct Share {
  Walk walk;
  int64_t each;  // blocks of a team
  Block block;
  template <class Team>
  OREPA_HD void operator()(int64_t r, Team team) const {
    const int64_t past = (r + 1) * each < walk.blocks ? (r + 1) * each : walk.blocks;
    Place place(walk, r * each);
    for (int64_t b = r * each; b < past; ++b, place.advance(walk)) block(walk, place, team);
  }
};

template <class Block>
void run(Device& device, const Walk& walk, const Block& block) {
  const int64_t each = std::max<int64_t>(1, kBlock / (walk.block_lines * walk.block_columns));
  parallel_teams(device, (walk.blocks + each - 1) / each, Share<Block>{walk, each, block});
}

// Lines that are contiguous in both tensors.
template <class Number>
struct MoveLines {
  const Number* from;
  Number* to;

  template <class Team>
  OREPA_HD void operator()(const Walk& walk, const Place& place, Team team) const {
    const int64_t lines = place.lines(walk), columns = place.columns(walk);
    const Number* in = from + place.from;
    Number* out = to + place.to;
    for (int64_t i = 0; i < lines; ++i, in += walk.lines.from, out += walk.lines.to) {
#pragma omp simd
      for (int64_t j = team.first(); j < columns; j += team.step()) out[j] = in[j];
    }
  }
};

// Any others.
template <class Number>
struct MoveNumbers {
  const Number* from;
  Number* to;

  template <class Team>
  OREPA_HD void operator()(const Walk& walk, const Place& place, Team team) const {
    const int64_t lines = place.lines(walk), columns = place.columns(walk);
    const int64_t in_step = walk.columns.from, out_step = walk.columns.to;
    const Number* in = from + place.from;
    Number* out = to + place.to;
    if constexpr (std::is_same_v<Team, parallel::OneLane>)
      if (walk.lines.from == 1 && out_step == 1)
        return transpose(columns, lines, in, in_step, out, walk.lines.to);
    for (int64_t i = 0; i < lines; ++i, in += walk.lines.from, out += walk.lines.to)
      for (int64_t j = team.first(); j < columns; j += team.step())
        out[j * out_step] = in[j * in_step];
  }
};

// Sums of what lies apart by the steps of two axes.
struct Sum {
  int64_t count[2], step[2];
  Numbers from, to;

  template <class Team>
  OREPA_HD void operator()(const Walk& walk, const Place& place, Team team) const {
    const int64_t lines = place.lines(walk);
    for (int64_t i = 0; i < lines; ++i)
      sum_line(place.from + i * walk.lines.from, place.to + i * walk.lines.to, place.columns(walk),
               walk.columns, team);
  }

 private:
  template <class Team>
  OREPA_HD void sum_line(int64_t from_at, int64_t to_at, int64_t columns, Step column,
                         Team team) const {
    const Numbers in = from, out = to;
    float sums[kSums];
    for (int64_t j = team.first(); j < columns; j += team.step()) sums[j] = 0;
    for (int64_t a = 0; a < count[0]; ++a)
      for (int64_t b = 0; b < count[1]; ++b) {
        const int64_t at = from_at + a * step[0] + b * step[1];
#pragma omp simd
        for (int64_t j = team.first(); j < columns; j += team.step())
          sums[j] += in[at + j * column.from];
      }
#pragma omp simd
    for (int64_t j = team.first(); j < columns; j += team.step())
      out.set(to_at + j * column.to, sums[j]);
  }
};

template <class Number>
void move(Device& device, const Walk& walk, const Tensor& from, const Tensor& to) {
  const auto* in = static_cast<const Number*>(from.data);
  auto* out = static_cast<Number*>(to.data);
  if (walk.is_one_piece())
    device.copy(out + walk.to_begin, in + walk.from_begin,
                walk.columns.extent * int64_t{sizeof(Number)});
  else if (walk.is_contiguous())
    run(device, walk, MoveLines<Number>{in, out});
  else
    run(device, walk, MoveNumbers<Number>{in, out});
}

void copy(Device& device, const Walk& walk, const Tensor& from, const Tensor& to) {
  require(from.type == to.type, "numbers of one type were to be moved to a tensor of another");
  if (to.type == DType::kFloat32)
    move<float>(device, walk, from, to);
  else
    move<BFloat16>(device, walk, from, to);
}

}  // namespace

std::vector<int64_t> strides_of(const Shape& shape) {
  require(shape.fits(std::numeric_limits<int64_t>::max()), "a tensor would be ", shape.str());
  std::vector<int64_t> strides(static_cast<size_t>(shape.rank()));
  int64_t next = 1;
  const auto lies_inside = [&](int axis) {
    strides[static_cast<size_t>(axis)] = next;
    next *= shape[axis];
  };
  if (shape.rank() == 4)
    for (const int axis : {1, 3, 2, 0}) lies_inside(axis);
  else
    for (int axis = shape.rank() - 1; axis >= 0; --axis) lies_inside(axis);
  return strides;
}

Arrangement::Arrangement(std::vector<Axis> axes, int64_t source_begin) {
  gather_ = walk_over(axes, &Axis::source, &Axis::target, false);
  gather_.from_begin = source_begin;
  for (const Axis& axis : axes)
    if (axis.source == 0 && axis.extent > 1) repeats_.push_back(axis);
  std::erase_if(axes, [](const Axis& axis) { return axis.source == 0; });
  scatter_ = walk_over(axes, &Axis::target, &Axis::source, !repeats_.empty());
  scatter_.to_begin = source_begin;
  require(repeats_.size() <= 2, "numbers are to be repeated along ", repeats_.size(),
          " axes at once, and at most 2 are offered");
}

void Arrangement::gather(Device& device, const Tensor& source, const Tensor& target) const {
  copy(device, gather_, source, target);
}

void Arrangement::scatter(Device& device, const Tensor& target, const Tensor& source) const {
  if (repeats_.empty()) return copy(device, scatter_, target, source);
  Sum sum{{1, 1}, {0, 0}, target, source};
  for (size_t a = 0; a < repeats_.size(); ++a) {
    sum.count[a] = repeats_[a].extent;
    sum.step[a] = repeats_[a].target;
  }
  run(device, scatter_, sum);
}

}  // namespace orepa
