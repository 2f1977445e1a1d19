// BatchLoader: the rows of any batch, as a function of the seed and the number of the pass, in
// memory that is handed to the device as it is.
//
// A sample that cannot be read or decoded is replaced by the next one that can, and counted; a few
// are no reason to end a long run.
#pragma once
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "data/sample_loader.h"
#include "data/sample_order.h"
#include "orepa/tensor.h"

namespace orepa {

// Where what a batch has lies in its memory.
struct BatchLayout {
  int64_t rows = 0, image_bytes = 0;
  int64_t images() const { return 0; }
  int64_t frames() const { return aligned(rows * image_bytes); }
  int64_t labels() const { return aligned(frames() + rows * int64_t{sizeof(Frame)}); }
  int64_t bytes() const { return labels() + rows * int64_t{sizeof(float)}; }
};

class BatchLoader {
 public:
  // `as_stored` is image_format()'s; `max_broken` the share of the samples that may be broken.
  BatchLoader(std::shared_ptr<const DataSource> source, std::shared_ptr<const Augment> augment,
              const SampleOrder& order, bool as_stored, int threads, double max_broken);

  const ImageFormat& format() const { return format_; }
  BatchLayout layout() const { return {order_.rows, format_.bytes()}; }
  const SampleOrder& order() const { return order_; }
  // Which sample of the source row `row` of batch `index` is, unless it is broken.
  int64_t sample(int64_t index, int64_t row) const {
    return order_.sample(order_.walked(index, row));
  }

  // A row of batch `index`; each thread has a number of its own, from 0. Throws Error where too
  // many samples are broken. REQUIRES: index >= 0; `batch` holds layout().bytes().
  void fill(int thread, int64_t index, int64_t row, char* batch);

  // What has been found broken since the last call. Any thread.
  std::vector<std::string> take_notes();

 private:
  // Throws Error where it is one too many.
  void note_broken(int64_t sample, const std::string& what);

  std::shared_ptr<const DataSource> source_;
  std::shared_ptr<const Augment> augment_;
  SampleOrder order_;
  ImageFormat format_;
  std::vector<std::unique_ptr<SampleLoader>> loaders_;  // by thread
  int64_t most_broken_;
  std::mutex mutex_;  // of what follows
  std::set<int64_t> broken_;
  std::vector<std::string> notes_;
};

}  // namespace orepa
