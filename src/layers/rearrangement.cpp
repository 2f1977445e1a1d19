#include "layers/rearrangement.h"

namespace orepa {

std::vector<Shape> Rearrangement::setup(Setup& setup) {
  setup.takes_bfloat16();
  const Top top = arrange(setup);
  arrangement_ = top.arrangement;
  has_all_ = top.has_all;
  return {top.shape};
}

void Rearrangement::forward(Pass& pass) {
  arrangement_.gather(pass.device(), pass.input(0), pass.output(0));
}

void Rearrangement::backward(Pass& pass) {
  const Tensor dx = pass.input_gradient(0);
  if (!has_all_) pass.device().zero(dx.data, dx.bytes());
  arrangement_.scatter(pass.device(), pass.output_gradient(0), dx);
}

}  // namespace orepa
