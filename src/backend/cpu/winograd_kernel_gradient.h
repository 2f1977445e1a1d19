// Winograd's convolution for the gradient of the kernel. Only src/backend/cpu includes this.
#pragma once
#include <omp.h>

#include <algorithm>

#include "backend/cpu/winograd_products.h"
#include "backend/cpu/winograd_tiles.h"

namespace orepa::cpu::winograd {

constexpr int64_t kSlice = 128;  // rows of a kernel gradient that one thread multiplies

// dkernel from x and dy: products of channels x tiles by tiles x channels.
template <class Filter>
class KernelGradient {
 public:
  using Element = typename Filter::Element;

  KernelGradient(InstructionSet set, const ConvolutionGeometry& g)
      : set_(set),
        groups_(g.groups),
        x_(Filter::kTile, g.input, g.output(), g.pad, g.groups),
        dy_(Filter::kTile, g.output(), g.output(), {0, 0}, g.groups),
        total_(dy_.count),
        block_(block_of(total_, kMatrices * static_cast<int64_t>((x_.channels + dy_.channels) *
                                                                 sizeof(Element)))),
        of_x_(kMatrices, block_, x_.channels),
        of_dy_(kMatrices, block_, dy_.channels),
        product_(kMatrices, dy_.channels, x_.channels) {}

  int64_t workspace() const {
    return aligned(of_x_.bytes()) + aligned(of_dy_.bytes()) + product_.bytes();
  }

  void run(const Multiplier<Element>& multiplier, const Element* x, const Element* dy,
           float* dkernel, bool accumulate, void* workspace) const {
    for (int64_t group = 0; group < groups_; ++group)
      run_group(multiplier, x + group * x_.channels, dy + group * dy_.channels,
                dkernel + group * dy_.channels * kTaps * x_.channels, accumulate, workspace);
  }

 private:
  static constexpr int64_t kMatrices = kProducts<Filter>;
  static constexpr int64_t kTaps = Filter::kKernel * Filter::kKernel;

  void run_group(const Multiplier<Element>& multiplier, const Element* x, const Element* dy,
                 float* dkernel, bool accumulate, void* workspace) const {
    Pieces pieces(workspace);
    auto* of_x = static_cast<Element*>(pieces.take(of_x_.bytes()));
    auto* of_dy = static_cast<Element*>(pieces.take(of_dy_.bytes()));
    float* product = static_cast<float*>(pieces.take(product_.bytes()));
    const int64_t inputs = x_.channels, outputs = dy_.channels;
    const int64_t slices = (outputs + kSlice - 1) / kSlice;
    // Several at once where there are enough for all threads.
    const int64_t most = std::max<int64_t>(1, kMatrices / (4 * omp_get_max_threads()));
    const int64_t shares = (kMatrices + most - 1) / most;
    int failures = 0;
#pragma omp parallel
    {
      for (int64_t begin = 0; begin < total_; begin += block_) {
        const int64_t count = std::min(block_, total_ - begin);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < count; ++t) {
          gather<typename Filter::Input>(set_, x_, x, begin + t, of_x_, of_x, t);
          gather<typename Filter::Gradient>(set_, dy_, dy, begin + t, of_dy_, of_dy, t);
        }
#pragma omp for schedule(static) reduction(+ : failures)
        for (int64_t i = 0; i < shares * slices; ++i) {
          const int64_t k = i / slices * most, first = i % slices * kSlice;
          failures += multiplier.run(
              {true, begin > 0, std::min(kSlice, outputs - first), inputs, count, of_dy_.row(),
               of_x_.row(), product_.row(), std::min(most, kMatrices - k), of_dy_.matrix(),
               of_x_.matrix(), product_.matrix()},
              of_dy_.at(of_dy, k, 0) + first, of_x_.at(of_x, k, 0), product_.at(product, k, first));
        }
      }
#pragma omp for schedule(static)
      for (int64_t o = 0; o < outputs; ++o)
        execute(set_, [&] {
          for (int64_t q = 0; q < panels(inputs); ++q) {
            const int64_t lanes = lanes_of(q, inputs);
            transform<typename Filter::KernelGradient>(
                [&](int k, Panel& panel) { load(product_.at(product, k, o, q), kPanel, panel); },
                [&](int k, const Panel& panel) {
                  float* to = dkernel + (o * kTaps + k) * inputs + q * kPanel;
                  Panel before{};
                  if (accumulate) load(to, lanes, before);
                  store(before + panel, lanes, to);
                });
          }
        });
    }
    require_products(failures);
  }

  InstructionSet set_;
  int64_t groups_;
  Tiles x_, dy_;
  int64_t total_, block_;
  Matrices<Element> of_x_, of_dy_;
  Matrices<float> product_;
};

}  // namespace orepa::cpu::winograd
