// BatchLoader: the batch of any pass, as a function of the seed and the number of the pass. It
// keeps no position, so a resumed run needs none, and any number of threads may call fill() at a
// time.
#pragma once
#include <cstdint>
#include <memory>

#include "data/transform.h"
#include "orepa/data_source.h"

namespace orepa {

class BatchLoader {
 public:
  // `shuffle`: every epoch comes in another order.
  BatchLoader(std::unique_ptr<DataSource> source, Transform transform, int64_t batch_size,
              bool shuffle, uint64_t seed);

  Shape batch_shape() const;  // N, C, H, W
  int64_t samples() const { return source_->size(); }

  // Batch `index` starts at sample index * batch_size of the endless walk over all epochs, so it
  // may span two of them. Batch -1 ends where the walk begins: it holds the last samples of the
  // data. Images in the device's layout (NHWC); `labels` may be null.
  void fill(int64_t index, float* images, float* labels) const;

 private:
  std::unique_ptr<DataSource> source_;
  Transform transform_;
  int64_t batch_size_;
  bool shuffle_;
  uint64_t seed_;
};

}  // namespace orepa
