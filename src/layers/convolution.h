// Convolution: y = W * x (+ bias). Where W comes from is left open, so that ORepaConv only replaces
// that.
#pragma once
#include "layers/convolution_base.h"

namespace orepa {

class Convolution : public ConvolutionBase {
 public:
  std::vector<Shape> setup(Setup& setup) override;
  void forward(Pass& pass) override;
  void backward(Pass& pass) override;

 private:
  Handle forward_workspace_ = -1, backward_workspace_ = -1;
};

// What every kind of convolution is in inference.
extern const LinearRole kConvolutionMap;

}  // namespace orepa
