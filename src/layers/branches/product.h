// Branches that are the product of a pointwise kernel M (T x Cg) and a kernel N (O x T/G x K x K)
// over the middle channels: s[o] sum_t N[o,t,h,w] M[g T/G + t, i]. Stored OHWI, that is one gemm a
// group: (Og K K x T/G) (T/G x Cg).
#pragma once
#include "layers/branches/output_blocks.h"
#include "layers/branches/scaled.h"

namespace orepa {

class ProductBranch : public WeightBranch {
 public:
  void begin(Pass& pass, Stage stage) override;
  void compose(Pass& pass, const OutputBlock& block, float* weight, bool accumulate) override;
  void differentiate(Pass& pass, const OutputBlock& block, const float* dweight) override;
  void end(Pass& pass, const float* dweight) override;

 protected:
  struct Factors {
    std::string first, second;  // names of M and N
    Filler first_filler, second_filler;
    int64_t middle = 0;          // T
    bool plus_identity = false;  // M + I stands in M's place, I[t,i] = 1 where i = t mod Cg
  };
  void declare(Setup& setup, const KernelGeometry& geometry, const BranchSpec& spec,
               const std::string& prefix, const Factors& factors);

 private:
  // Numbers of N[o].
  int64_t each() const { return geometry_.taps() * middle_; }

  KernelGeometry geometry_;
  int64_t middle_ = 0;  // T / G
  bool plus_identity_ = false;
  Handle first_ = -1, second_ = -1;
  Handle sum_ = -1, transposed_ = -1;              // M + I, of a group (M + I)^T or M^T
  Handle block_second_ = -1, scaled_second_ = -1;  // s N: of a block in prepare, all in finish
  OutputBlocks blocks_;
  Scaling scale_;
};

}  // namespace orepa
