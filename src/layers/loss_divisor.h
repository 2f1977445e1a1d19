// What a loss is divided by, for all of them: Caffe's normalization modes, over the whole batch
// where this net has a part of its rows, so that the losses and gradients of all ranks add up.
#pragma once
#include <algorithm>
#include <string>

#include "orepa/layer.h"
#include "orepa/parallel.h"

namespace orepa {

// All positions count.
struct EveryPosition {
  OREPA_HD float operator()(int64_t) const { return 1; }
};

// divisor[0] becomes max(1, fixed) or, where fixed < 0, max(1, what was counted there).
struct DivideLoss {
  const float* total;
  float fixed;
  float *divisor, *loss;
  OREPA_HD void operator()(int64_t) const {
    const float by = fixed < 0 ? divisor[0] : fixed;
    divisor[0] = by > 1 ? by : 1.0f;
    loss[0] = total[0] / divisor[0];
  }
};

class LossDivisor {
 public:
  // The mode that a LossParameter states: in today's field, else in the old one, else `otherwise`.
  static std::string mode(const Options& loss_param, const std::string& otherwise) {
    if (loss_param.has("normalization")) return loss_param.choice("normalization");
    if (loss_param.has("normalize")) return loss_param.flag("normalize") ? "VALID" : "BATCH_SIZE";
    return otherwise;
  }

  // For setup(). The rows have `batch` samples of `positions` places with a loss each, of which
  // some may not count where the layer `ignores` any. `summed_rows`: those of
  // divide_rows().
  void declare(Setup& setup, const std::string& mode, int64_t batch, int64_t positions,
               bool ignores, int64_t summed_rows = 0) {
    const BatchRows rows = setup.rows();
    const auto whole = [&](int64_t count) {
      return static_cast<float>(rows.count > 0 ? count * rows.whole / rows.count : count);
    };
    fixed_ = mode == "NONE"               ? 1
             : mode == "BATCH_SIZE"       ? whole(batch)
             : mode == "FULL" || !ignores ? whole(positions)
                                          : -1;
    positions_ = positions;
    ranks_ = setup.ranks();
    divisor_ = setup.saved(sizeof(float));
    total_ = setup.scratch(Stage::kForward, sizeof(float));
    partial_ = setup.scratch(Stage::kForward, std::max(reduce_all_scratch(positions),
                                                       summed_rows * int64_t{sizeof(double)}));
  }

  // For forward(): output 0 = the sum of term(i) over the positions / the divisor. counts(i) is 1
  // where position i counts, else 0.
  template <class Term, class Counts = EveryPosition>
  void divide(Pass& pass, const Term& term, const Counts& counts = {}) const {
    reduce_all(pass.device(), positions_, term, pass.floats(total_), partial(pass));
    divide_total(pass, counts);
  }
  // The same where the sum is that of term(r, j) over rows and columns.
  template <class Term, class Counts = EveryPosition>
  void divide_rows(Pass& pass, int64_t rows, int64_t columns, const Term& term,
                   const Counts& counts = {}) const {
    reduce_rows(pass.device(), rows, columns, term, partial(pass));
    reduce_rows(pass.device(), 1, rows, parallel::Partial{partial(pass)}, pass.floats(total_));
    divide_total(pass, counts);
  }

  // For backward(): in device memory.
  const float* divisor(Pass& pass) const { return pass.floats(divisor_); }

 private:
  double* partial(Pass& pass) const { return static_cast<double*>(pass.memory(partial_)); }
  template <class Counts>
  void divide_total(Pass& pass, const Counts& counts) const {
    float* divisor = pass.floats(divisor_);
    if (fixed_ < 0) {
      reduce_all(pass.device(), positions_, counts, divisor, partial(pass));
      if (ranks_ != nullptr) {
        ranks_->start_sum({divisor, 1, Communicator::Numbers::Type::kFloat32});
        ranks_->finish_sums();
      }
    }
    parallel_for(pass.device(), 1,
                 DivideLoss{pass.floats(total_), fixed_, divisor, pass.output(0).floats()});
  }

  float fixed_ = 1;  // negative: the number of positions that count
  int64_t positions_ = 0;
  Communicator* ranks_ = nullptr;  // who have other rows of the batch
  Handle divisor_ = -1, total_ = -1, partial_ = -1;
};

}  // namespace orepa
