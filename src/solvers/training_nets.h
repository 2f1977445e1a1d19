// TrainingNets: the training net at the sizes of images that a run goes through (image_size).
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "orepa/net.h"

namespace orepa {

class TrainingNets {
 public:
  // All must outlive it. Builds the net at its own size.
  TrainingNets(const NetSpec& spec, Parameters& parameters, Arena& arena,
               const NetOptions& options);

  // What a SolverParameter says of image_size; 0 `iterations_per_epoch` where there are none. Each
  // net is built once, so that it is known whether it fits, and the arena has room for the largest.
  // Throws Error where one does not.
  void plan(const Options& solver, int64_t iterations_per_epoch);

  Net& own() { return *own_; }  // at its own size
  // The net of the last call of of(), at first own().
  Net& current() { return other_ ? *other_ : *own_; }
  // Whether an iteration has that one.
  bool is_current(int64_t iteration) const { return size(iteration) == size_; }
  // The net of an iteration. Frees the one before, unless it is own().
  Net& of(int64_t iteration);

  // How much there is to compute in iterations [begin, end), about: an iteration at the net's own
  // size counts 1, others as many times that as their images have more pixels.
  double work(int64_t begin, int64_t end) const;
  double source_seconds() const;     // Net::source_seconds() of all that there were
  int64_t persistent_bytes() const;  // at most

 private:
  struct Part {
    int64_t end, size;  // images of the iterations before `end`, from that of the part before on
  };
  std::unique_ptr<Net> build(int64_t size) const;
  int64_t size(int64_t iteration) const;  // of the images of an iteration; 0: their own

  const NetSpec spec_;
  Parameters& parameters_;
  Arena& arena_;
  const NetOptions options_;
  std::vector<Part> parts_;
  std::unique_ptr<Net> own_, other_;
  int64_t size_ = 0;  // of current()
  int64_t most_bytes_ = 0;
  double earlier_seconds_ = 0;  // of nets that are no more
};

}  // namespace orepa
