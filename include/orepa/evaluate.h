// Evaluation: a net's outputs averaged over a whole test set, the ragged last batch included.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "orepa/communicator.h"
#include "orepa/error.h"
#include "orepa/net_cache.h"

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

// A batch of a test went wrong, which says nothing against the parameters.
class TestFailure : public Error {
 public:
  using Error::Error;
};

// Blobs of a test's batches that tell what became of each sample. They can be read after a batch
// where NetOptions::keep has them.
struct TestBlobs {
  std::string scores, labels;  // the bottoms of the net's first Accuracy layer
  std::string images;          // what the labels' source makes first; empty where that is labels
  bool probabilities = false;  // whether the scores are made by a Softmax
  std::vector<std::string> names() const;
};
// Of the net's phase TEST; none where it has no Accuracy layer, or where a later layer writes over
// what that has read.
std::optional<TestBlobs> test_blobs(const NetSpec& spec, const NetOptions& options);

// Owns the nets of a phase TEST: one of the batch size given in the prototxt, and one for the rest
// of the set.
class Evaluator {
 public:
  // `options.phase` is set to TEST. Among several ranks, each runs its share of the batches, and
  // all have the result of one; null where there is one.
  Evaluator(const NetSpec& spec, Parameters& parameters, Arena& arena, NetOptions options,
            Communicator* ranks = nullptr);

  // Runs the whole set once; a net without a source of samples runs `batches` times (as does any
  // net where batches > 0, Caffe's test_iter), the mean being over batches. `stop` is asked between
  // batches; `feed` may set inputs before each, and `observe` may read blobs after it, with the
  // number of its first sample. Throws TestFailure where a pass or one of the latter throws Error,
  // and where an output is not finite, with the layer that it comes from and, for a label that is
  // no class, the sample. What one rank meets, all of them throw. A complete one ends with
  // Net::finish_files().
  Evaluation run(int64_t batches = 0, const std::function<bool()>& stop = {},
                 const std::function<void(Net&, int64_t)>& feed = {},
                 const std::function<void(Net&, int64_t first_sample)>& observe = {});
  Net& net() { return nets_.first(); }
  std::vector<std::string> take_notes() { return nets_.take_notes(); }   // Net::take_notes()
  int64_t persistent_bytes() const { return nets_.persistent_bytes(); }  // outside the arena

 private:
  // What a batch comes to.
  struct Batch {
    int64_t number = 0, samples = 0;
    std::vector<std::vector<float>> outputs;
  };
  Batch read(Net& net, int64_t number, int64_t samples) const;
  void add(const Batch& batch, Evaluation& evaluation) const;
  void exchange(const std::vector<Batch>& own, Evaluation& evaluation) const;

  std::string name_;  // of the net, in messages
  Device& device_;
  Communicator* ranks_;
  NetCache nets_;
  NetSizes rest_;  // its batch size is 0 where there is no rest
};

}  // namespace orepa
