// History: what the update rule remembers of every learned parameter, some numbers for each of its
// numbers (UpdateRule::histories()): blocks of as many numbers as the parameter has.
#pragma once
#include <cstdint>
#include <map>
#include <vector>

#include "orepa/params.h"

namespace orepa {

class History {
 public:
  // Zeros, for every parameter that learns; `parameters` must have their memory.
  History(const Parameters& parameters, int blocks);

  int blocks() const { return blocks_; }
  // Device memory of all blocks, one behind the other; null where nothing is remembered (buffers,
  // frozen parameters).
  float* of(const Parameter& parameter) const;
  // In Caffe's order; zeros where nothing is remembered, and nothing happens there.
  std::vector<float> read(const Parameter& parameter, int block) const;
  void write(const Parameter& parameter, int block, const std::vector<float>& values);
  int64_t bytes() const { return memory_.bytes(); }

 private:
  Tensor block_of(const Parameter& parameter, int block) const;

  Device& device_;
  int blocks_;
  DeviceMemory memory_;
  std::map<const Parameter*, float*> places_;
};

}  // namespace orepa
