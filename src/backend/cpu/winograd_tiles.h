// Tiles of images as the matrices of tiles x channels that Winograd's convolution multiplies, and
// back. Only src/backend/cpu includes this.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include "backend/cpu/instruction_set.h"
#include "backend/cpu/winograd_transforms.h"
#include "orepa/device.h"

namespace orepa::cpu::winograd {

constexpr int64_t kBlockBytes = 1 << 20;  // about what the matrices of a block take
constexpr int64_t kFewestTiles = 64;      // of a block: fewer would read the kernel too often

// How many tiles a block has: as many as fit, in blocks of equal size.
inline int64_t block_of(int64_t tiles, int64_t bytes_of_tile) {
  const int64_t fit = kBlockBytes / bytes_of_tile;
  const int64_t most = std::max(fit, kFewestTiles), blocks = (tiles + most - 1) / most;
  return (tiles + blocks - 1) / blocks;
}

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
  int64_t numbers() const { return count_ * matrix_; }
  int64_t bytes() const { return numbers() * size_of_number(); }
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
// `side` (row, column) - pad. They are of the channels of one group, where the image begins.
struct Tiles {
  // Of images `from`, whose convolution has outputs of `to`, each tile `side` x `side` of them.
  Tiles(int64_t side, const Shape& from, const Shape& to, const Pair& pad, int64_t groups)
      : side(side),
        height(from[2]),
        width(from[3]),
        pixel(from[1]),
        channels(from[1] / groups),
        down((to[2] + side - 1) / side),
        across((to[3] + side - 1) / side),
        count(from[0] * down * across),
        pad(pad) {}

  int64_t side, height, width;
  int64_t pixel;     // numbers from one to the next: the channels of all groups
  int64_t channels;  // of a group
  int64_t down, across, count;
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
        visit(i * kSize + j, inside ? ((n * height + y) * width + x) * pixel : -1);
      }
  }
};

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
  Epilogue from(int64_t channel) const {
    return {bias == nullptr ? nullptr : bias + channel, relu};
  }
};

// Row r of the matrices into the places of a tile of `image`.
template <class Transform, class Element>
void scatter(InstructionSet set, const Tiles& tiles, const Matrices<float>& m, float* from,
             int64_t r, Element* image, int64_t tile, const Epilogue& epilogue) {
  execute(set, [&] {
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
