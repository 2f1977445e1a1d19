// Tiles of images as the 36 matrices of tiles x channels that Winograd's convolution multiplies,
// and back. Only src/backend/cpu includes this.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include "backend/cpu/instruction_set.h"
#include "backend/cpu/winograd_transforms.h"
#include "orepa/device.h"

namespace orepa::cpu::winograd {

constexpr int64_t kProducts = 36;

inline int64_t panels(int64_t channels) { return (channels + kPanel - 1) / kPanel; }

// 36 matrices of rows x channels, padded to whole panels. A cache line more keeps the matrices, and
// where a row is a multiple of 1 KiB the rows, from sharing cache sets.
class Matrices {
 public:
  Matrices(int64_t rows, int64_t channels)
      : row_(panels(channels) * kPanel % 256 == 0 ? (panels(channels) + 1) * kPanel
                                                  : panels(channels) * kPanel),
        matrix_(rows * row_ + kPanel) {}
  int64_t bytes() const { return kProducts * matrix_ * int64_t{sizeof(float)}; }
  int64_t row() const { return row_; }
  float* at(float* data, int64_t k, int64_t r, int64_t panel = 0) const {
    return data + k * matrix_ + r * row_ + panel * kPanel;
  }
  const float* at(const float* data, int64_t k, int64_t r) const {
    return data + k * matrix_ + r * row_;
  }

 private:
  int64_t row_, matrix_;
};

// Images, and the tiles that they are read or written in: down x across an image, their corners at
// 4 (row, column) - pad.
struct Tiles {
  int64_t height, width, channels, down, across;
  Pair pad;

  // visit(place, offset of its channels; negative outside of the image)
  template <int kSize, class Visit>
  void for_each_place(int64_t tile, Visit visit) const {
    const int64_t n = tile / (down * across), y0 = tile / across % down * 4 - pad[0],
                  x0 = tile % across * 4 - pad[1];
    for (int i = 0; i < kSize; ++i)
      for (int j = 0; j < kSize; ++j) {
        const int64_t y = y0 + i, x = x0 + j;
        const bool inside = y >= 0 && y < height && x >= 0 && x < width;
        visit(i * kSize + j, inside ? ((n * height + y) * width + x) * channels : -1);
      }
  }
};

alignas(64) constexpr float kZeros[kPanel] = {};

inline int64_t lanes_of(int64_t panel, int64_t channels) {
  return std::min<int64_t>(kPanel, channels - panel * kPanel);
}

// A tile of `image` into row r of 36 matrices.
template <class T>
void gather(InstructionSet set, const Tiles& tiles, const float* image, int64_t tile,
            const Matrices& m, float* to, int64_t r) {
  execute(set, [&] {
    int64_t places[T::kIn * T::kIn];
    tiles.for_each_place<T::kIn>(tile, [&](int k, int64_t offset) { places[k] = offset; });
    for (int64_t q = 0; q < panels(tiles.channels); ++q)
      transform<T>(
          lanes_of(q, tiles.channels),
          [&](int k) { return places[k] < 0 ? kZeros : image + places[k] + q * kPanel; },
          [&](int k, const float* values) {
            std::memcpy(m.at(to, k, r, q), values, kPanel * sizeof(float));
          });
  });
}

// What happens to an output behind the convolution.
struct Epilogue {
  const float* bias;  // null: none
  bool relu;
};

// Row r of 36 matrices into the places of a tile of `image`.
inline void scatter(InstructionSet set, const Tiles& tiles, const Matrices& m, float* from,
                    int64_t r, float* image, int64_t tile, const Epilogue& epilogue) {
  execute(set, [&] {
    int64_t places[16];
    tiles.for_each_place<4>(tile, [&](int k, int64_t offset) { places[k] = offset; });
    const float least = epilogue.relu ? 0 : -std::numeric_limits<float>::infinity();
    for (int64_t q = 0; q < panels(tiles.channels); ++q) {
      const int64_t lanes = lanes_of(q, tiles.channels);
      alignas(64) float bias[kPanel] = {};
      if (epilogue.bias != nullptr) std::copy_n(epilogue.bias + q * kPanel, lanes, bias);
      transform<OutputTransform>(
          kPanel, [&](int k) { return m.at(from, k, r, q); },
          [&](int k, const float* values) {
            if (places[k] < 0) return;
            float* to = image + places[k] + q * kPanel;
            alignas(64) float finished[kPanel];
            for (int l = 0; l < kPanel; ++l) {
              const float value = values[l] + bias[l];
              finished[l] = value < least ? least : value;  // what is no number stays none
            }
            if (lanes == kPanel)
              std::memcpy(to, finished, sizeof finished);
            else
              std::copy_n(finished, lanes, to);
          });
    }
  });
}

}  // namespace orepa::cpu::winograd
