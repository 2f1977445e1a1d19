// In which order a source of samples gives them, as its net wants it.
#pragma once
#include <algorithm>

#include "data/sample_order.h"
#include "orepa/layer.h"

namespace orepa {

// `batch_size` is the prototxt's. Throws Error where there is none.
inline SampleOrder source_order(Setup& setup, int64_t samples, int64_t batch_size, bool shuffle) {
  SampleOrder order;
  order.samples = samples;
  const BatchRows rows = setup.take_rows(batch_size);
  setup.require(rows.whole > 0, "batch_size is missing");
  order.batch_size = rows.whole;
  order.first_row = rows.first;
  order.rows = rows.count;
  order.first_sample = setup.first_sample();
  order.shuffle = shuffle;
  order.seed = setup.seed();
  if (setup.phase() == Phase::kTest)
    order.batches = std::max<int64_t>(1, (samples - order.first_sample) / order.batch_size);
  return order;
}

}  // namespace orepa
