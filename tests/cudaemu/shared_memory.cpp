#include "tests/cudaemu/shared_memory.h"

#include <algorithm>

#include "tests/cudaemu/races.h"
#include "tests/cudaemu/violation.h"

namespace cudaemu {
namespace {

constexpr size_t kMost = 48 << 10, kAlignment = 64, kCanary = 64;
constexpr unsigned char kPoison = 0xff;

size_t rounded_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

// Twice, so that canaries do not count; aligned by hand, since vectors are not.
SharedMemory::SharedMemory() : memory_(2 * kMost + kAlignment, kPoison) {}

void SharedMemory::start_block() {
  if constexpr (kFindsRaces) {
    // Memory of its own for each, which the threads of another one never had.
    const Unwatched unwatched;
    memory_ = std::vector<unsigned char>(memory_.size(), kPoison);
  } else {
    std::fill_n(memory_.begin(), used_, kPoison);
  }
  variables_.clear();
  used_ = 0;
}

void* SharedMemory::variable(const void* key, size_t bytes, size_t align, const char* name) {
  for (const Variable& variable : variables_)
    if (variable.key == key) return memory_.data() + variable.offset;
  if (align > kAlignment) violation("shared ", name, " wants to be aligned to ", align, " bytes");
  const size_t begin = reinterpret_cast<size_t>(memory_.data());
  const size_t offset = rounded_up(begin + used_, kAlignment) - begin;
  size_t total = bytes;
  for (const Variable& variable : variables_) total += variable.bytes;
  if (total > kMost)
    violation("with ", name, ", the block has ", total, " bytes of shared memory; there are ",
              kMost);
  variables_.push_back({key, offset, bytes, name});
  used_ = offset + bytes + kCanary;
  if (used_ > memory_.size()) violation("too many variables in shared memory, with ", name);
  return memory_.data() + offset;
}

void SharedMemory::end_block() {
  for (const Variable& variable : variables_) {
    const auto end = memory_.begin() + static_cast<long>(variable.offset + variable.bytes);
    if (std::any_of(end, end + kCanary, [](unsigned char byte) { return byte != kPoison; }))
      violation("a thread wrote beyond the end of shared ", variable.name, ", ", variable.bytes,
                " bytes");
  }
}

}  // namespace cudaemu
