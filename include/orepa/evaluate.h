// Evaluation: a net's outputs averaged over a whole test set, the ragged last batch included.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "orepa/net.h"

namespace orepa {

struct Evaluation {
  struct Output {
    std::string blob;
    std::vector<double> values;  // means over samples, in Caffe's order
    double loss_weight = 0;      // 0 where it is no loss
  };
  std::vector<Output> outputs;
  int64_t samples = 0;
  bool complete = true;  // false where it was stopped
};

// Owns the nets of a phase TEST: one of the batch size given in the prototxt, and one for the rest
// of the set, over the same Parameters and Arena.
class Evaluator {
 public:
  // `options.phase` is set to TEST.
  Evaluator(const NetSpec& spec, Parameters& parameters, Arena& arena, NetOptions options);

  // Runs the whole set once; a net without a source of samples runs `batches` times (as does any
  // net where batches > 0, Caffe's test_iter), the mean being over batches. `stop` is asked between
  // batches; `feed` may set inputs before each. Throws Error where an output is not finite, with
  // the layer that it comes from and, for a label that is no class, the sample.
  Evaluation run(int64_t batches = 0, const std::function<bool()>& stop = {},
                 const std::function<void(Net&, int64_t)>& feed = {});
  Net& net() { return *whole_; }
  int64_t persistent_bytes() const;  // of both nets, outside the arena

 private:
  void add(Net& net, int64_t weight, Evaluation& evaluation) const;

  std::string name_;  // of the net, in messages
  std::unique_ptr<Net> whole_, rest_;
};

}  // namespace orepa
