// SampleOrder: which sample stands in which row of a pass, as a function. It keeps no position, so
// a resumed run needs none, and it does not depend on who reads them.
#pragma once
#include <cstdint>
#include <optional>

namespace orepa {

struct SampleOrder {
  int64_t samples = 0, batch_size = 0;
  int64_t rows = 0, first_row = 0;  // which of a batch are wanted: others' rows are others'
  int64_t first_sample = 0;         // where the walk over the data starts
  bool shuffle = false;             // every epoch comes in another order
  uint64_t seed = 0;
  int64_t batches = 0;  // whole ones of a walk, after which a test begins anew; 0: endless
  // Where the first `samples` of all are one part and the others another: the last `rows` of every
  // batch are of the one, those before them of the other, each in a walk of its own.
  // REQUIRES: first_sample is 0, and a part with rows has samples.
  struct Part {
    int64_t samples = 0, rows = 0;
  };
  std::optional<Part> foreground = std::nullopt;

  // How many samples come before row `row` of those of batch `index` in the endless walk over all
  // epochs: a batch may span two of them.
  int64_t walked(int64_t index, int64_t row) const {
    return first_sample + index * batch_size + first_row + row;
  }
  // Which one of the source comes after so many.
  int64_t sample(int64_t walked) const;
  // Which batch comes after batch `index`.
  int64_t next(int64_t index) const { return index + 1 == batches ? 0 : index + 1; }

 private:
  // At a position of the endless walk over `count` samples.
  int64_t of_part(int64_t position, int64_t count) const;
};

}  // namespace orepa
