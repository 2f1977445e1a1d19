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
  // The walk over the data starts at `first_sample`. `shuffle`: every epoch comes in another order.
  BatchLoader(std::unique_ptr<DataSource> source, Transform transform, int64_t batch_size,
              int64_t first_sample, bool shuffle, uint64_t seed);

  Shape batch_shape() const;  // N, C, H, W
  // Which sample of the source row `row` of batch `index` is.
  int64_t sample(int64_t index, int64_t row) const { return sample(walked(index, row)); }
  int64_t samples() const { return source_->size(); }

  // Batch `index` starts at sample first_sample + index * batch_size of the endless walk over all
  // epochs, so it may span two of them. Images in the device's layout (NHWC); `labels` may be null.
  // REQUIRES: index >= 0.
  void fill(int64_t index, float* images, float* labels) const;

 private:
  // How many samples come before it in the endless walk.
  int64_t walked(int64_t index, int64_t row) const {
    return first_sample_ + index * batch_size_ + row;
  }
  int64_t sample(int64_t walked) const;

  std::unique_ptr<DataSource> source_;
  Transform transform_;
  int64_t batch_size_, first_sample_;
  bool shuffle_;
  uint64_t seed_;
};

}  // namespace orepa
