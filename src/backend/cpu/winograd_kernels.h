// Kernels as the matrices that Winograd's convolution multiplies by. Only src/backend/cpu includes
// this.
#pragma once
#include "backend/cpu/winograd_tiles.h"

namespace orepa::cpu::winograd {

// The kernel of the forward pass, C rows of O. It is stored O, kh, kw, C: 16 x 16 channels are
// transposed at a time, before the transform, where there are fewer numbers each.
template <class Filter>
void pack_forward(InstructionSet set, const float* kernel, int64_t outputs, int64_t inputs,
                  const Matrices<typename Filter::Element>& m, typename Filter::Element* packed) {
  constexpr int64_t kTaps = Filter::kKernel * Filter::kKernel;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t q = 0; q < panels(inputs); ++q)
    for (int64_t p = 0; p < panels(outputs); ++p) {
      alignas(64) float square[kTaps][kPanel][kPanel];
      const int64_t rows = lanes_of(q, inputs), columns = lanes_of(p, outputs);
      for (int64_t k = 0; k < kTaps; ++k)
        for (int64_t l = 0; l < kPanel; ++l)
          for (int64_t c = 0; c < rows; ++c)
            square[k][c][l] =
                l < columns ? kernel[((p * kPanel + l) * kTaps + k) * inputs + q * kPanel + c] : 0;
      execute(set, [&] {
        for (int64_t c = 0; c < rows; ++c)
          transform<typename Filter::Kernel>(
              [&](int k, Panel& panel) { load(square[k][c], kPanel, panel); },
              [&](int k, const Panel& panel) {
                store(panel, kPanel, m.at(packed, k, q * kPanel + c, p));
              });
      });
    }
}

// That of the data gradient: rotated, O rows of C.
template <class Filter>
void pack_backward(InstructionSet set, const float* kernel, int64_t outputs, int64_t inputs,
                   const Matrices<typename Filter::Element>& m, typename Filter::Element* packed) {
  constexpr int64_t kTaps = Filter::kKernel * Filter::kKernel;
#pragma omp parallel for schedule(static)
  for (int64_t o = 0; o < outputs; ++o)
    execute(set, [&] {
      for (int64_t q = 0; q < panels(inputs); ++q)
        transform<typename Filter::Kernel>(
            [&](int k, Panel& panel) {
              load(kernel + ((o + 1) * kTaps - 1 - k) * inputs + q * kPanel, lanes_of(q, inputs),
                   panel);
            },
            [&](int k, const Panel& panel) { store(panel, kPanel, m.at(packed, k, o, q)); });
    });
}

}  // namespace orepa::cpu::winograd
