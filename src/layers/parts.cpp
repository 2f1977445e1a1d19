#include "layers/parts.h"

#include <algorithm>

#include "layers/axis.h"

namespace orepa {
namespace {

// Numbers that a team copies: of some rows, or of one.
constexpr int64_t kBlock = 1024;
constexpr size_t kMostPieces = 16;  // of one loop

// Pieces that follow one another in each row.
template <class Number, bool kJoins>
struct CopyPieces {
  Number* whole;  // from the first piece on
  int64_t rows, whole_width;
  int64_t width = 0;  // of all pieces
  int pieces = 0;
  Number* parts[kMostPieces] = {};  // null: there is none
  int64_t widths[kMostPieces] = {};

  void add(const Tensor& part, int64_t piece) {
    parts[pieces] = static_cast<Number*>(part.data);
    widths[pieces++] = piece;
    width += piece;
  }
  void run(Device& device) const {
    parallel_teams(device, (rows + rows_at_once() - 1) / rows_at_once() * blocks_of_row(), *this);
  }

  template <class Team>
  OREPA_HD void operator()(int64_t block, Team team) const {
    const int64_t begin = block % blocks_of_row() * kBlock;
    const int64_t past = begin + kBlock < width ? begin + kBlock : width;
    const int64_t first = block / blocks_of_row() * rows_at_once();
    for (int64_t r = first; r < first + rows_at_once() && r < rows; ++r)
      copy_row(r, begin, past, team);
  }

 private:
  OREPA_HD int64_t rows_at_once() const { return width < kBlock ? kBlock / width : 1; }
  OREPA_HD int64_t blocks_of_row() const { return (width + kBlock - 1) / kBlock; }

  // Numbers [begin, past) of it.
  template <class Team>
  OREPA_HD void copy_row(int64_t r, int64_t begin, int64_t past, Team team) const {
    int64_t at = 0;  // where the piece begins
    for (int p = 0; p < pieces; at += widths[p++]) {
      const int64_t low = begin > at ? begin : at;
      const int64_t high = past < at + widths[p] ? past : at + widths[p];
      Number* const of_whole = whole + r * whole_width + low;
      Number* const of_part = parts[p] + r * widths[p] + low - at;
      if (parts[p] == nullptr) continue;
      if constexpr (kJoins)
        copy(of_part, of_whole, high - low, team);
      else
        copy(of_whole, of_part, high - low, team);
    }
  }
  template <class Team>
  OREPA_HD static void copy(const Number* from, Number* to, int64_t count, Team team) {
#pragma omp simd
    for (int64_t j = team.first(); j < count; j += team.step()) to[j] = from[j];
  }
};

template <class Number, bool kJoins>
void copy(Device& device, int64_t rows, const std::vector<int64_t>& widths, const Tensor& whole,
          const std::vector<Tensor>& parts) {
  const int64_t width = whole.count() / rows;
  int64_t at = 0;
  for (size_t begin = 0; begin < parts.size(); begin += kMostPieces) {
    CopyPieces<Number, kJoins> pieces{static_cast<Number*>(whole.data) + at, rows, width};
    for (size_t p = begin; p < std::min(parts.size(), begin + kMostPieces); ++p)
      pieces.add(parts[p], widths[p]);
    pieces.run(device);
    at += pieces.width;
  }
}

template <bool kJoins>
void copy(Device& device, int64_t rows, const std::vector<int64_t>& widths, const Tensor& whole,
          const std::vector<Tensor>& parts) {
  if (whole.type == DType::kFloat32)
    copy<float, kJoins>(device, rows, widths, whole, parts);
  else
    copy<BFloat16, kJoins>(device, rows, widths, whole, parts);
}

}  // namespace

Parts::Parts(int axis, const Shape& whole, const std::vector<Shape>& parts)
    : rows_(AxisView::of(whole, axis).outer) {
  for (const Shape& part : parts) widths_.push_back(part.count() / rows_);
}

void Parts::join(Device& device, const std::vector<Tensor>& parts, const Tensor& whole) const {
  copy<true>(device, rows_, widths_, whole, parts);
}

void Parts::cut(Device& device, const Tensor& whole, const std::vector<Tensor>& parts) const {
  copy<false>(device, rows_, widths_, whole, parts);
}

}  // namespace orepa
