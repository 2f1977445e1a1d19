#include "engine/memory_plan.h"

#include <algorithm>
#include <numeric>

#include "orepa/device.h"

namespace orepa {
namespace {

// Requests that share one place, one after another.
struct Tenancy {
  int64_t bytes = 0;
  int first = 0, last = 0;
  int tenant = 0;  // the latest request
  int64_t offset = 0;
};

}  // namespace

MemoryPlan plan_memory(const std::vector<MemoryRequest>& requests) {
  std::vector<int> order(requests.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return requests[a].first < requests[b].first; });

  std::vector<Tenancy> tenancies;
  std::vector<int> tenancy_of(requests.size(), -1);
  for (const int r : order) {
    const MemoryRequest& request = requests[r];
    for (const int previous : request.may_take_over) {
      const int t = tenancy_of[previous];
      if (t < 0 || tenancies[t].tenant != previous || requests[previous].last != request.first ||
          requests[previous].first == request.first || tenancies[t].bytes < aligned(request.bytes))
        continue;
      tenancies[t].last = request.last;
      tenancies[t].tenant = r;
      tenancy_of[r] = t;
      break;
    }
    if (tenancy_of[r] < 0) {
      tenancy_of[r] = static_cast<int>(tenancies.size());
      tenancies.push_back({aligned(request.bytes), request.first, request.last, r, 0});
    }
  }

  std::vector<Tenancy*> by_size;
  for (Tenancy& tenancy : tenancies) by_size.push_back(&tenancy);
  std::stable_sort(by_size.begin(), by_size.end(),
                   [](const Tenancy* a, const Tenancy* b) { return a->bytes > b->bytes; });
  MemoryPlan plan;
  std::vector<const Tenancy*> placed;  // in order of offset
  for (Tenancy* tenancy : by_size) {
    int64_t offset = 0;
    for (const Tenancy* other : placed) {
      if (other->last < tenancy->first || tenancy->last < other->first) continue;
      if (offset + tenancy->bytes <= other->offset) break;
      offset = std::max(offset, other->offset + other->bytes);
    }
    tenancy->offset = offset;
    plan.peak = std::max(plan.peak, offset + tenancy->bytes);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), tenancy,
                         [](const Tenancy* a, const Tenancy* b) { return a->offset < b->offset; }),
        tenancy);
  }
  for (const int t : tenancy_of) plan.offsets.push_back(tenancies[t].offset);
  return plan;
}

}  // namespace orepa
