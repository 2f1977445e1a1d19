#include <cmath>

#include "layers/elementwise.h"

namespace orepa {
namespace {

struct SigmoidFunction {
  OREPA_HD static float value(float x) { return 1 / (1 + expf(-x)); }
  OREPA_HD static float slope(float y) { return y * (1 - y); }
};

class Sigmoid : public Elementwise<SigmoidFunction> {};

OREPA_LAYER(Sigmoid, "y = 1 / (1 + exp(-x))");

}  // namespace
}  // namespace orepa
