#include <cmath>

#include "layers/elementwise.h"

namespace orepa {
namespace {

struct TanHFunction {
  OREPA_HD static float value(float x) { return tanhf(x); }
  OREPA_HD static float slope(float y) { return 1 - y * y; }
};

class TanH : public Elementwise<TanHFunction> {};

OREPA_LAYER(TanH, "y = tanh(x)");

}  // namespace
}  // namespace orepa
