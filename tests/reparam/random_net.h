// Random nets as prototxt: linear blocks as people train them, and whole nets as people write them.
#pragma once
#include <string>
#include <vector>

#include "orepa/random.h"

namespace orepa {

// How many of them tests try: 1,000, or OREPA_TEST_SEEDS of the environment.
int random_seeds();

class RandomNet {
 public:
  explicit RandomNet(uint64_t seed);

  // An Input "x", and what of it is a linear block: nested branches, every one of which keeps the
  // extent of the image or divides it by the block's stride. One convolution computes the same.
  std::string block();
  // An Input "x" and layers that read any earlier blob: plain layers, in place or not, with readers
  // before and behind; residuals, sums of three, a blob twice in a sum; linear blocks; inverted
  // residuals; squeeze-and-excitation; Concat, pools; more than one output; ends of InnerProducts,
  // or none.
  std::string net();

 private:
  struct Blob {
    std::string name;
    int64_t channels = 0, height = 1, width = 1;
    bool flat = false;  // N x C
  };
  struct Window {
    int64_t kernel = 1, stride = 1, pad = 0, dilation = 1, groups = 1;
  };

  int64_t below(int64_t n) { return random_.below(index_++, n); }
  bool one_in(int64_t n) { return below(n) == 0; }
  std::string input();

  // Each adds layers and returns the name of the blob that they make.
  std::string add(const std::string& type, const std::vector<std::string>& bottoms,
                  const std::string& fields, bool in_place = false);
  std::string convolution(const std::string& from, int64_t outputs, const std::string& fields,
                          bool bias);
  std::string norm(const std::string& from, bool in_place = false);
  std::string maybe_norm(const std::string& from) { return below(2) ? norm(from) : from; }
  std::string border(const std::string& from, int64_t pad);
  std::string sum(const std::vector<std::string>& bottoms, bool factors);
  std::string linear_block(const std::string& from, int64_t inputs, int64_t outputs, int64_t stride,
                           int depth);
  std::string branch(const std::string& from, int64_t inputs, int64_t outputs, int64_t stride,
                     int depth);

  // The same with shapes, for whole nets. The blob that stands for `from` may be written over.
  Blob convolved(const Blob& from, int64_t outputs, const Window& window);
  Blob activated(Blob from);
  Blob plain(const Blob& from, int64_t outputs, const Window& window);  // convolution, norm, ReLU
  Blob same(const Blob& from);  // layers that keep the shape
  Blob residual(const Blob& from);
  Blob branch_in_place(const Blob& from);
  Blob inverted_residual(const Blob& from);
  Blob excited(const Blob& from);
  Blob pooled(const Blob& from);
  Blob concatenated(const Blob& from);
  Blob step(const Blob& from);
  void end(Blob blob);
  const Blob& any_like(const Blob& blob);  // an earlier blob of that shape

  Random random_;
  int64_t index_ = 0;
  int count_ = 0;
  int64_t channels_ = 0, height_ = 0, width_ = 0;  // of the input
  std::vector<Blob> blobs_;                        // of a whole net
  std::string layers_;
};

}  // namespace orepa
