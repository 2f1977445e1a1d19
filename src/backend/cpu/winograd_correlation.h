// Winograd's convolution forward, and of the data gradient. Only src/backend/cpu includes this.
#pragma once
#include <omp.h>

#include <algorithm>

#include "backend/cpu/winograd_products.h"
#include "backend/cpu/winograd_tiles.h"

namespace orepa::cpu::winograd {

// y from x, or dx from dy: products of tiles x channels by channels x channels. Each thread
// takes blocks of its own; those that are left over, or all where they are fewer than threads, are
// made by all threads together.
template <class Filter>
class Correlation {
 public:
  using Element = typename Filter::Element;

  Correlation(InstructionSet set, const Shape& from, const Shape& to, const Pair& pad,
              int64_t groups)
      : set_(set),
        groups_(groups),
        source_(Filter::kTile, from, to, pad, groups),
        target_(Filter::kTile, to, to, {0, 0}, groups),
        total_(source_.count),
        block_(
            block_of(total_, kMatrices * static_cast<int64_t>(source_.channels * sizeof(Element) +
                                                              target_.channels * sizeof(float)))),
        blocks_((total_ + block_ - 1) / block_),
        transformed_(kMatrices, block_, source_.channels),
        product_(kMatrices, block_, target_.channels),
        kernel_(kMatrices, source_.channels, target_.channels),
        threads_(blocks_ < omp_get_max_threads() ? 1 : omp_get_max_threads()) {}

  const Matrices<Element>& kernel() const { return kernel_; }  // of a group
  int64_t workspace() const { return threads_ * of_block(); }

  void run(const Multiplier<Element>& multiplier, const Element* from, const Element* kernels,
           Element* to, const Epilogue& epilogue, void* workspace) const {
    for (int64_t group = 0; group < groups_; ++group)
      run_group(multiplier, from + group * source_.channels, kernels + group * kernel_.numbers(),
                to + group * target_.channels, epilogue.from(group * target_.channels), workspace);
  }

 private:
  static constexpr int64_t kMatrices = kProducts<Filter>;
  using Input = typename Filter::Input;
  using Output = typename Filter::Output;
  struct Block {
    Element* transformed;
    float* product;
  };
  int64_t of_block() const { return aligned(transformed_.bytes()) + aligned(product_.bytes()); }

  void run_group(const Multiplier<Element>& multiplier, const Element* from, const Element* kernel,
                 Element* to, const Epilogue& epilogue, void* workspace) const {
    const int64_t threads = std::min<int64_t>(threads_, omp_get_max_threads());
    const int64_t alone = blocks_ < omp_get_max_threads() ? 0 : blocks_ / threads * threads;
    const auto memory = [&](int64_t thread) {
      char* begin = static_cast<char*>(workspace) + thread * of_block();
      return Block{reinterpret_cast<Element*>(begin),
                   reinterpret_cast<float*>(begin + aligned(transformed_.bytes()))};
    };
    // `some` of the matrices, from number k on.
    const auto multiply = [&](int64_t k, int64_t some, int64_t count, const Block& block) {
      return multiplier.run({false, false, count, target_.channels, source_.channels,
                             transformed_.row(), kernel_.row(), product_.row(), some,
                             transformed_.matrix(), kernel_.matrix(), product_.matrix()},
                            transformed_.at(block.transformed, k, 0), kernel_.at(kernel, k, 0),
                            product_.at(block.product, k, 0));
    };
    int failures = 0;
#pragma omp parallel
    {
#pragma omp for schedule(static) reduction(+ : failures)
      for (int64_t share = 0; share < threads; ++share)
        for (int64_t b = share * (alone / threads); b < (share + 1) * (alone / threads); ++b) {
          const Block block = memory(share);
          const int64_t begin = b * block_, count = std::min(block_, total_ - begin);
          for (int64_t t = 0; t < count; ++t)
            gather<Input>(set_, source_, from, begin + t, transformed_, block.transformed, t);
          failures += multiply(0, kMatrices, count, block);
          for (int64_t t = 0; t < count; ++t)
            scatter<Output>(set_, target_, product_, block.product, t, to, begin + t, epilogue);
        }
      for (int64_t b = alone; b < blocks_; ++b) {
        const Block block = memory(0);
        const int64_t begin = b * block_, count = std::min(block_, total_ - begin);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < count; ++t)
          gather<Input>(set_, source_, from, begin + t, transformed_, block.transformed, t);
#pragma omp for schedule(static) reduction(+ : failures)
        for (int64_t k = 0; k < kMatrices; ++k) failures += multiply(k, 1, count, block);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < count; ++t)
          scatter<Output>(set_, target_, product_, block.product, t, to, begin + t, epilogue);
      }
    }
    require_products(failures);
  }

  InstructionSet set_;
  int64_t groups_;
  Tiles source_, target_;
  int64_t total_, block_, blocks_;
  Matrices<Element> transformed_;
  Matrices<float> product_;
  Matrices<Element> kernel_;
  int64_t threads_;  // that have workspace of their own
};

}  // namespace orepa::cpu::winograd
