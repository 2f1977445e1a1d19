#include "data/shuffle.h"

namespace orepa {
namespace {

constexpr uint64_t kRounds = 8;

// A permutation of [0, 4^half_bits): every round swaps the halves and changes one by a function of
// the other.
uint64_t feistel(uint64_t value, int half_bits, const Random& key) {
  const uint64_t mask = (uint64_t{1} << half_bits) - 1;
  uint64_t left = value >> half_bits, right = value & mask;
  for (uint64_t round = 0; round < kRounds; ++round) {
    const uint64_t mixed = left ^ (key.bits(right * kRounds + round) & mask);
    left = right;
    right = mixed;
  }
  return left << half_bits | right;
}

}  // namespace

int64_t shuffled(int64_t position, int64_t count, const Random& key) {
  int half_bits = 1;
  while ((int64_t{1} << 2 * half_bits) < count) ++half_bits;
  auto value = static_cast<uint64_t>(position);
  do {
    value = feistel(value, half_bits, key);
  } while (value >= static_cast<uint64_t>(count));
  return static_cast<int64_t>(value);
}

}  // namespace orepa
