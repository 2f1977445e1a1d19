// How LARS and LAMB adapt the rate to a parameter as a whole: by the norms of its weights and of
// what is about to change them, which the device computes in the scratch of an update.
#pragma once
#include "orepa/update_rule.h"

namespace orepa {

// In scratch: the sums of both squares, the ratio that is made of them, then partial sums.
struct NormRatio {
  double squares[2];
  float ratio;

  static int64_t bytes(int64_t count) {
    return int64_t{sizeof(NormRatio)} + 2 * parallel::long_pieces(count) * int64_t{sizeof(double)};
  }
};

// Row r: a piece of the weights, or, behind all of these, of the changes.
template <class Change>
struct SquareOfEither {
  Change change;  // change(i, step) of number i
  int64_t pieces;
  OREPA_HD double operator()(int64_t r, int64_t j) const {
    const Update& u = change.update();
    const int64_t i = r % pieces * parallel::kLongPiece + j;
    if (i >= u.count) return 0;
    const double value = r < pieces ? u.weight[i] : change(i, *u.step);
    return value * value;
  }
};

struct PartialOfEither {
  const double* sums;
  int64_t pieces;
  OREPA_HD double operator()(int64_t which, int64_t piece) const {
    return sums[which * pieces + piece];
  }
};

// ratio(norm of the weights, norm of the changes), or 1 where either is 0 and where the parameter
// does not decay.
template <class Ratio>
struct MakeRatio {
  Ratio ratio;
  bool adapts;
  NormRatio* made;
  OREPA_HD void operator()(int64_t) const {
    const bool counts = adapts && made->squares[0] > 0 && made->squares[1] > 0;
    made->ratio = counts ? ratio(static_cast<float>(sqrt(made->squares[0])),
                                 static_cast<float>(sqrt(made->squares[1])))
                         : 1.0f;
  }
};

// Three launches, whatever the size; returns where the ratio will be.
template <class Change, class Ratio>
const float* make_ratio(const Device& device, const Change& change, const Ratio& ratio) {
  const Update& u = change.update();
  auto* made = static_cast<NormRatio*>(u.scratch);
  auto* partial = reinterpret_cast<double*>(made + 1);
  const int64_t pieces = parallel::long_pieces(u.count);
  reduce_rows(device, 2 * pieces, std::min(u.count, parallel::kLongPiece),
              SquareOfEither<Change>{change, pieces}, partial);
  reduce_rows(device, 2, pieces, PartialOfEither{partial, pieces}, made->squares);
  parallel_for(device, 1, MakeRatio<Ratio>{ratio, u.decays, made});
  return &made->ratio;
}

}  // namespace orepa
