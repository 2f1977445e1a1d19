// DataSource: a set of samples that can be read in any order: an image and a label each.
//
// A source owns what it needs (files, memory) and does not change once it is open, so any number of
// threads may read it at a time. Opening and reading throw Error that names the file, what was
// got and what was expected.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "orepa/options.h"
#include "orepa/tensor.h"

namespace orepa {

struct Sample {
  int64_t channels = 0, height = 0, width = 0;
  std::vector<float> pixels;  // as stored (0 to 255 for bytes), channels innermost: H, W, C
  float label = 0;            // 0 where the source was opened without labels
};

class DataSource {
 public:
  virtual ~DataSource() = default;
  virtual int64_t size() const = 0;        // samples; at least 1
  virtual Shape sample_shape() const = 0;  // C, H, W of every sample
  // Fills `sample`, whose memory is used again. REQUIRES: 0 <= index < size().
  virtual void read(int64_t index, Sample& sample) const = 0;
};

// The source that a DataParameter names by source, backend and label_source. Labels are looked for
// only where they are wanted.
std::unique_ptr<DataSource> open_data_source(const Options& data_param, bool labels);

// Files of MNIST's format (IDX), plain or gzipped: unsigned bytes, N x H x W or N x C x H x W, and
// labels N. They are kept in memory as bytes. An empty `labels` opens the images alone.
std::unique_ptr<DataSource> open_idx(const std::string& images, const std::string& labels);

}  // namespace orepa
