// Lanes that meet: what the threads of one warp do together.
#pragma once
#include <cstdint>

#include "tests/cudaemu/cuda_emu.h"

namespace cudaemu {

constexpr uint32_t kWarpSize = 32;

class Warp {
 public:
  // What a lane asks for and, once all have met, gets.
  struct Request {
    Collective collective{};
    unsigned mask = 0;
    uint64_t value = 0;
    int argument = 0, width = 0;
    Place place;
  };

  // At the start of a block: this many lanes exist, none has arrived anywhere or left.
  void start(uint32_t lanes);
  // Whether all lanes of its mask have arrived, with this one. Their answers are ready then, and
  // they, `mask`, may go on.
  bool arrive(uint32_t lane, const Request& request);
  uint64_t answer(uint32_t lane) const { return answers_[lane]; }
  void leave(uint32_t lane) {
    left_ |= 1u << lane;
    if (arrived_ != 0) require_nobody_waits_for_left();
  }
  const Place& place(uint32_t lane) const { return requests_[lane].place; }

 private:
  void require_nobody_waits_for_left() const;
  void answer_all(unsigned mask);

  Request requests_[kWarpSize];
  uint64_t answers_[kWarpSize] = {};
  unsigned exist_ = 0, arrived_ = 0, left_ = 0;  // a bit a lane
};

}  // namespace cudaemu
