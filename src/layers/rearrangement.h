// Base of layers whose top is one Arrangement of bottom 0: write a class that says which.
#pragma once
#include <vector>

#include "layers/arrangement.h"
#include "orepa/layer.h"

namespace orepa {

class Rearrangement : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) final;
  void forward(Pass& pass) final;
  void backward(Pass& pass) final;

 protected:
  struct Top {
    Shape shape;
    Arrangement arrangement;  // the bottom is the source
    bool has_all = true;      // whether every number of the bottom is in it
  };
  virtual Top arrange(Setup& setup) = 0;

 private:
  Arrangement arrangement_;
  bool has_all_ = true;
};

}  // namespace orepa
