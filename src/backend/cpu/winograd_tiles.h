// Tiles of images as the matrices of tiles x channels that Winograd's convolution multiplies, and
// back. Element is the type of images, of the matrices that are multiplied, and of packed kernels;
// products are float32. Only src/backend/cpu includes this.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "backend/cpu/instruction_set.h"
#include "backend/cpu/winograd_transforms.h"
#include "orepa/device.h"

namespace orepa::cpu::winograd {

template <class Element>
using Transforms = std::conditional_t<std::is_same_v<Element, float>, F4, F2>;
template <class Element>
constexpr int64_t kTile = Transforms<Element>::kTile;
template <class Element>
constexpr int64_t kProducts = (kTile<Element> + 2) * (kTile<Element> + 2);

inline int64_t panels(int64_t channels) { return (channels + kPanel - 1) / kPanel; }

// `count` matrices of rows x channels, padded to whole panels. A cache line more keeps the
// matrices, and where a row is a multiple of 1 KiB the rows, from sharing cache sets.
template <class T>
class Matrices {
 public:
  Matrices(int64_t count, int64_t rows, int64_t channels)
      : count_(count),
        row_(panels(channels) * kPanel * size_of_number() % 1024 == 0
                 ? (panels(channels) + 1) * kPanel
                 : panels(channels) * kPanel),
        matrix_(rows * row_ + 64 / size_of_number()) {}
  int64_t bytes() const { return count_ * matrix_ * size_of_number(); }
  int64_t row() const { return row_; }
  int64_t matrix() const { return matrix_; }  // numbers from one to the next
  T* at(T* data, int64_t k, int64_t r, int64_t panel = 0) const {
    return data + k * matrix_ + r * row_ + panel * kPanel;
  }
  const T* at(const T* data, int64_t k, int64_t r) const { return data + k * matrix_ + r * row_; }

 private:
  static constexpr int64_t size_of_number() { return sizeof(T); }
  int64_t count_, row_, matrix_;
};

// Images, and the tiles that they are read or written in: down x across an image, their corners at
// `side` (row, column) - pad.
struct Tiles {
  int64_t side;  // of the outputs of a tile
  int64_t height, width, channels, down, across;
  Pair pad;

  // visit(place, offset of its channels; negative outside of the image)
  template <int kSize, class Visit>
  void for_each_place(int64_t tile, Visit visit) const {
    const int64_t n = tile / (down * across), y0 = tile / across % down * side - pad[0],
                  x0 = tile % across * side - pad[1];
    for (int i = 0; i < kSize; ++i)
      for (int j = 0; j < kSize; ++j) {
        const int64_t y = y0 + i, x = x0 + j;
        const bool inside = y >= 0 && y < height && x >= 0 && x < width;
        visit(i * kSize + j, inside ? ((n * height + y) * width + x) * channels : -1);
      }
  }
};

inline int64_t lanes_of(int64_t panel, int64_t channels) {
  return std::min<int64_t>(kPanel, channels - panel * kPanel);
}

// A tile of `image` into row r of the matrices.
template <class Transform, class Element>
void gather(InstructionSet set, const Tiles& tiles, const Element* image, int64_t tile,
            const Matrices<Element>& m, Element* to, int64_t r) {
  execute(set, [&] {
    int64_t places[Transform::kIn * Transform::kIn];
    tiles.for_each_place<Transform::kIn>(tile, [&](int k, int64_t offset) { places[k] = offset; });
    for (int64_t q = 0; q < panels(tiles.channels); ++q)
      transform<Transform>(
          [&](int k, Panel& panel) {
            if (places[k] < 0)
              panel = Panel{};
            else
              load(image + places[k] + q * kPanel, lanes_of(q, tiles.channels), panel);
          },
          [&](int k, const Panel& panel) { store(panel, kPanel, m.at(to, k, r, q)); });
  });
}

// What happens to an output behind the convolution.
struct Epilogue {
  const float* bias;  // null: none
  bool relu;
};

// Row r of the matrices into the places of a tile of `image`.
template <class Element>
void scatter(InstructionSet set, const Tiles& tiles, const Matrices<float>& m, float* from,
             int64_t r, Element* image, int64_t tile, const Epilogue& epilogue) {
  execute(set, [&] {
    using Transform = typename Transforms<Element>::Output;
    int64_t places[Transform::kOut * Transform::kOut];
    tiles.for_each_place<Transform::kOut>(tile, [&](int k, int64_t offset) { places[k] = offset; });
    const Panel least = Panel{} + (epilogue.relu ? 0 : -std::numeric_limits<float>::infinity());
    for (int64_t q = 0; q < panels(tiles.channels); ++q) {
      const int64_t lanes = lanes_of(q, tiles.channels);
      Panel bias{};
      if (epilogue.bias != nullptr) load(epilogue.bias + q * kPanel, lanes, bias);
      transform<Transform>([&](int k, Panel& panel) { load(m.at(from, k, r, q), kPanel, panel); },
                           [&](int k, const Panel& panel) {
                             if (places[k] < 0) return;
                             const Panel value = panel + bias;
                             // What is no number stays none.
                             store(value < least ? least : value, lanes,
                                   image + places[k] + q * kPanel);
                           });
    }
  });
}

}  // namespace orepa::cpu::winograd
