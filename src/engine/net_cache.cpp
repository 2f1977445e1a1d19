#include "orepa/net_cache.h"

namespace orepa {

NetCache::NetCache(const NetSpec& spec, Parameters& parameters, Arena& arena, NetOptions options)
    : spec_(spec), parameters_(parameters), arena_(arena), options_(std::move(options)) {
  of({});
}

Net& NetCache::of(const NetSizes& sizes) {
  Entry& entry = nets_[sizes];
  entry.asked = ++asked_;
  if (entry.net) return *entry.net;
  NetOptions options = options_;
  if (sizes.batch_size > 0) {
    options.batch_size = sizes.batch_size;
    options.first_sample = sizes.first_sample;
  }
  for (const auto& [blob, shape] : sizes.inputs) options.inputs[blob] = shape;
  try {
    entry.net = std::make_unique<Net>(spec_, parameters_, arena_, std::move(options));
  } catch (...) {
    nets_.erase(sizes);
    throw;
  }
  if (nets_.size() > kMost) forget_oldest();
  return *entry.net;
}

void NetCache::forget_oldest() {
  auto oldest = nets_.end();
  for (auto entry = nets_.begin(); entry != nets_.end(); ++entry)
    if (entry->first != NetSizes{} &&
        (oldest == nets_.end() || entry->second.asked < oldest->second.asked))
      oldest = entry;
  nets_.erase(oldest);
}

int64_t NetCache::persistent_bytes() const {
  int64_t total = 0;
  for (const auto& [sizes, entry] : nets_) total += entry.net->persistent_bytes();
  return total;
}

std::vector<std::string> NetCache::take_notes() {
  std::vector<std::string> notes;
  for (const auto& [sizes, entry] : nets_)
    for (std::string& note : entry.net->take_notes()) notes.push_back(std::move(note));
  return notes;
}

}  // namespace orepa
