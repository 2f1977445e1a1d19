// LastTest: what a test got wrong, as last_test.json says it.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "orepa/communicator.h"
#include "orepa/evaluate.h"

namespace orepa::tool {

// Some neighbouring samples of a test.
struct TestedBatch {
  int64_t first_sample = 0;
  int64_t classes = 0;
  std::vector<float> labels;                   // one a sample
  std::vector<float> scores;                   // samples x classes
  bool probabilities = false;                  // whether the scores are; else their softmax is
  Shape image;                                 // C x H x W of a sample
  std::function<std::vector<float>()> images;  // of all samples; asked where one is to be shown
};

// A sample that was taken for another class.
struct Mistake {
  int64_t sample = 0, label = 0, predicted = 0;
  double probability = 0;  // of what was predicted
  std::string image;
};

// Memory: classes x classes counts, and the pictures of the worst samples.
class LastTest {
 public:
  static constexpr size_t kWorst = 24;  // pictures
  static constexpr int64_t kMostClasses = 1000;
  static constexpr int64_t kLargestPicture = 112;  // pixels along a side

  // Whether images of three channels are blue, green and red; else they are red, green and blue.
  void images_are_bgr(bool bgr) { bgr_ = bgr; }
  // Forgets what an earlier test said where the batch is the first one. Samples whose label is no
  // class are left out. Throws Error where the numbers do not fit each other.
  void add(const TestedBatch& batch);
  // From the blobs of a net that has just run: SolverOptions::observe, Evaluator::run. Leaves out
  // tests whose scores are not samples x classes, and those of more than kMostClasses.
  void observe(Net& net, const TestBlobs& blobs, int64_t first_sample);

  // Where several ranks have observed their batches of a test: the first then knows what one
  // process would, the others nothing. All must call it. REQUIRES: ranks that add up memory of the
  // host.
  void gather(Communicator& ranks);

  bool empty() const { return confusion_.empty(); }
  int64_t classes() const { return classes_; }  // 0 where it is empty
  // The text of last_test.json. `classes`: names; where there are none, their numbers.
  std::string json(int net, int64_t iteration, std::vector<std::string> classes = {}) const;

 private:
  void begin(int64_t classes);  // a test
  bool is_among_worst(double probability) const;
  void keep(const Mistake& mistake);

  bool bgr_ = false;
  int64_t classes_ = 0;
  std::vector<int64_t> confusion_;  // [label, predicted]
  std::vector<Mistake> worst_;      // the surest first, of equals the first sample
};

}  // namespace orepa::tool
