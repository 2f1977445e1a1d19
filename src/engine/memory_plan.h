// Memory plan: turns the lifetimes of buffers into offsets in one arena. A pure function.
#pragma once
#include <cstdint>
#include <vector>

namespace orepa {

struct MemoryRequest {
  int64_t bytes = 0;
  // The steps between which (both included) the buffer holds something; `last` is the number of
  // steps where it is read after all of them.
  int first = 0, last = 0;
  // Requests whose place this one may take over in its first step, if that is their last one.
  std::vector<int> may_take_over;
};

struct MemoryPlan {
  std::vector<int64_t> offsets;  // one a request, aligned
  int64_t peak = 0;              // bytes of the arena
};

// No two requests that live in a common step overlap, except where one took over the other's place.
// Greedy: the largest first, each at the lowest offset that is free for its whole life.
MemoryPlan plan_memory(const std::vector<MemoryRequest>& requests);

}  // namespace orepa
