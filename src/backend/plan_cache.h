// PlanCache: the plans that a device made, by geometry, so that nets share them. Only src/backend
// includes this.
#pragma once
#include <cstdint>
#include <map>
#include <memory>

namespace orepa {

template <class Geometry, class Plan>
class PlanCache {
 public:
  // The plan of that geometry; make() where there is none. Forgets the one that nobody asked for
  // the longest time, where they are too many; who holds it goes on with it.
  template <class Make>
  std::shared_ptr<Plan> of(const Geometry& geometry, Make make) {
    auto found = plans_.find(geometry);
    if (found == plans_.end()) {
      if (plans_.size() >= kMost) forget_oldest();
      found = plans_.emplace(geometry, Entry{make(), 0}).first;
    }
    found->second.asked = ++asked_;
    return found->second.plan;
  }

 private:
  static constexpr size_t kMost = 1024;
  struct Entry {
    std::shared_ptr<Plan> plan;
    int64_t asked;
  };
  void forget_oldest() {
    auto oldest = plans_.begin();
    for (auto entry = plans_.begin(); entry != plans_.end(); ++entry)
      if (entry->second.asked < oldest->second.asked) oldest = entry;
    plans_.erase(oldest);
  }
  std::map<Geometry, Entry> plans_;
  int64_t asked_ = 0;
};

}  // namespace orepa
