// Base of layers whose top has the bottom's numbers in the same logical order, in another shape: a
// copy where either is of rank 4 with channels and pixels (tensor.h); else nothing moves.
#pragma once
#include "layers/copy_in_order.h"

namespace orepa {

class Reshaping : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) final {
    setup.takes_bfloat16();
    const Shape &x = setup.input(0), y = shape_of_top(setup);
    if (LogicalOrder(x).is_row_major() && LogicalOrder(y).is_row_major()) {
      setup.output_may_overwrite_input(0, 0);
      setup.input_gradient_may_overwrite(0);
    }
    return {y};
  }
  void forward(Pass& pass) final { copy_in_order(pass.device(), pass.input(0), pass.output(0)); }
  void backward(Pass& pass) final {
    copy_in_order(pass.device(), pass.output_gradient(0), pass.input_gradient(0));
  }

 protected:
  virtual Shape shape_of_top(Setup& setup) = 0;  // of as many numbers as the bottom
};

}  // namespace orepa
