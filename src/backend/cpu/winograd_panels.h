// Channels go in panels of 16, a cache line, which are vectors of the compiler's: it makes of each
// operation what the instruction set has. Only src/backend/cpu includes this.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "orepa/numbers.h"

namespace orepa::cpu::winograd {

constexpr int kPanel = 16;
using Panel = float __attribute__((vector_size(kPanel * sizeof(float))));

inline int64_t panels(int64_t channels) { return (channels + kPanel - 1) / kPanel; }
inline int64_t lanes_of(int64_t panel, int64_t channels) {
  return std::min<int64_t>(kPanel, channels - panel * kPanel);
}

using NarrowPanel = uint16_t __attribute__((vector_size(kPanel * sizeof(uint16_t))));
using BitsOfPanel = uint32_t __attribute__((vector_size(sizeof(Panel))));

// The first `lanes` of a panel, and zeros behind them. (An argument, since how a vector is returned
// depends on the instruction set.)
inline void load(const float* from, int64_t lanes, Panel& panel) {
  if (lanes == kPanel) {
    std::memcpy(&panel, from, sizeof panel);
  } else {
    panel = Panel{};
    std::memcpy(&panel, from, static_cast<size_t>(lanes) * sizeof(float));
  }
}
inline void load(const BFloat16* from, int64_t lanes, Panel& panel) {
  NarrowPanel narrow{};
  if (lanes == kPanel)
    std::memcpy(&narrow, from, sizeof narrow);
  else
    std::memcpy(&narrow, from, static_cast<size_t>(lanes) * sizeof(uint16_t));
  panel = reinterpret_cast<Panel>(__builtin_convertvector(narrow, BitsOfPanel) << 16);
}

inline void store(const Panel& panel, int64_t lanes, float* to) {
  if (lanes == kPanel)
    std::memcpy(to, &panel, sizeof panel);
  else
    std::memcpy(to, &panel, static_cast<size_t>(lanes) * sizeof(float));
}
// Rounds as BFloat16::of().
inline void store(const Panel& panel, int64_t lanes, BFloat16* to) {
  const BitsOfPanel whole = reinterpret_cast<BitsOfPanel>(panel);
  const BitsOfPanel rounded = whole + 0x7fff + (whole >> 16 & 1);
  const BitsOfPanel kept = panel == panel ? rounded : whole | 0x400000;  // NaN stays one
  const NarrowPanel narrow = __builtin_convertvector(kept >> 16, NarrowPanel);
  if (lanes == kPanel)
    std::memcpy(to, &narrow, sizeof narrow);
  else
    std::memcpy(to, &narrow, static_cast<size_t>(lanes) * sizeof(uint16_t));
}

}  // namespace orepa::cpu::winograd
