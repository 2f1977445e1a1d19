// DatasetOutput: the set that `dataset build` writes, sample after sample, and goes on with after
// the process was killed.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

namespace orepa::tool {

// An image file, its label and what it was.
struct BuiltSample {
  std::string file, name;
  int64_t label = 0;
};

class DatasetOutput {
 public:
  virtual ~DatasetOutput() = default;
  // Samples that are there for good.
  virtual int64_t size() const = 0;
  // Adds sample number `number`; they come one after the other, from size() on.
  virtual void add(int64_t number, const BuiltSample& sample) = 0;
  // All were added.
  virtual void finish() = 0;
};

std::unique_ptr<DatasetOutput> lmdb_output(const std::string& folder);
// `shard` samples in each tar file.
std::unique_ptr<DatasetOutput> tar_output(const std::string& folder, int64_t shard);

}  // namespace orepa::tool
