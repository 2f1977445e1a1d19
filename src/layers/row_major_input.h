// A bottom in Caffe's order, in which weights count its numbers: as it lies in memory, or where it
// lies in another order (tensor.h) a copy.
#pragma once
#include "layers/copy_in_order.h"

namespace orepa {

class RowMajorInput {
 public:
  // Backward passes may read it, and write its gradient.
  void setup(Setup& setup, int input) {
    input_ = input;
    const Shape& x = setup.input(input);
    is_row_major_ = LogicalOrder(x).is_row_major();
    if (is_row_major_) return setup.backward_reads_input(input);
    copy_ = setup.saved(x.bytes());
    if (setup.backward()) gradient_ = setup.scratch(Stage::kBackward, x.bytes());
  }
  // In forward(), before anybody asks for it.
  void load(Pass& pass) const {
    const Tensor x = pass.input(input_);
    if (!is_row_major_) copy_in_order(pass.device(), x, {pass.floats(copy_), {x.count()}});
  }
  const float* value(Pass& pass) const {
    return is_row_major_ ? pass.input(input_).floats() : pass.floats(copy_);
  }
  // Where the gradient is to be written, where it is wanted, before store_gradient().
  float* gradient(Pass& pass) const {
    return is_row_major_ ? pass.input_gradient(input_).floats() : pass.floats(gradient_);
  }
  void store_gradient(Pass& pass) const {
    const Tensor dx = pass.input_gradient(input_);
    if (!is_row_major_) copy_in_order(pass.device(), {gradient(pass), {dx.count()}}, dx);
  }

 private:
  int input_ = 0;
  bool is_row_major_ = true;
  Handle copy_ = -1, gradient_ = -1;
};

}  // namespace orepa
