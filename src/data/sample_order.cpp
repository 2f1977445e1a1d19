#include "data/sample_order.h"

#include "data/shuffle.h"

namespace orepa {

int64_t SampleOrder::sample(int64_t walked) const {
  if (!foreground) return of_part(walked, samples);
  const int64_t batch = walked / batch_size, row = walked % batch_size;
  const int64_t background_rows = batch_size - foreground->rows;
  if (row >= background_rows)
    return of_part(batch * foreground->rows + row - background_rows, foreground->samples);
  return foreground->samples +
         of_part(batch * background_rows + row, samples - foreground->samples);
}

int64_t SampleOrder::of_part(int64_t position, int64_t count) const {
  const Random order(seed, "order of samples", static_cast<uint64_t>(position / count));
  return shuffle ? shuffled(position % count, count, order) : position % count;
}

}  // namespace orepa
