// What the environment says about the emulation; read once.
//   CUDAEMU_ORDER    in which order threads and blocks run: 0 ascending (default), 1 descending,
//                    2 shuffled, the same way in every run
//   CUDAEMU_GUARD    1 (default): every allocation ends at a page that nobody may touch, no
//                    address is used twice. 0: neither, for speed where much is allocated
//   CUDAEMU_ENGINES  1 (default): cuDNN has engines for convolutions. 0: it has none
#pragma once

namespace cudaemu {

enum class Order { kAscending, kDescending, kShuffled };

struct Settings {
  Order order;
  bool guard;
  bool engines;
};
const Settings& settings();

}  // namespace cudaemu
