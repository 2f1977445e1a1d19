// SampleOrder: which sample stands in which row of a pass, as a function. It keeps no position, so
// a resumed run needs none, and it does not depend on who reads them.
#pragma once
#include <cstdint>

namespace orepa {

struct SampleOrder {
  int64_t samples = 0, batch_size = 0;
  int64_t rows = 0, first_row = 0;  // which of a batch are wanted: others' rows are others'
  int64_t first_sample = 0;         // where the walk over the data starts
  bool shuffle = false;             // every epoch comes in another order
  uint64_t seed = 0;
  int64_t batches = 0;  // whole ones of a walk, after which a test begins anew; 0: endless

  // How many samples come before row `row` of those of batch `index` in the endless walk over all
  // epochs: a batch may span two of them.
  int64_t walked(int64_t index, int64_t row) const {
    return first_sample + index * batch_size + first_row + row;
  }
  // Which one of the source comes after so many.
  int64_t sample(int64_t walked) const;
  // Which batch comes after batch `index`.
  int64_t next(int64_t index) const { return index + 1 == batches ? 0 : index + 1; }
};

}  // namespace orepa
