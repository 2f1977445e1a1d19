// In which order a source of samples gives them, as its net wants it.
#pragma once
#include <algorithm>

#include "data/sample_order.h"
#include "orepa/layer.h"

namespace orepa {

// `batch_size` is the prototxt's. Throws Error where there is none.
inline SampleOrder source_order(const Setup& setup, int64_t samples, int64_t batch_size,
                                bool shuffle) {
  SampleOrder order;
  order.samples = samples;
  order.batch_size = setup.batch_size_override() > 0 ? setup.batch_size_override() : batch_size;
  setup.require(order.batch_size > 0, "batch_size is missing");
  order.first_sample = setup.first_sample();
  order.shuffle = shuffle;
  order.seed = setup.seed();
  if (setup.phase() == Phase::kTest)
    order.batches = std::max<int64_t>(1, (samples - order.first_sample) / order.batch_size);
  return order;
}

}  // namespace orepa
