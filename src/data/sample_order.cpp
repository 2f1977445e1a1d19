#include "data/sample_order.h"

#include "data/shuffle.h"

namespace orepa {

int64_t SampleOrder::sample(int64_t walked) const {
  const int64_t position = walked % samples;
  const Random order(seed, "order of samples", static_cast<uint64_t>(walked / samples));
  return shuffle ? shuffled(position, samples, order) : position;
}

}  // namespace orepa
