// What a file says of its size, before memory is taken for it.
#pragma once
#include <hdf5.h>

#include <cstdint>
#include <string>

#include "orepa/tensor.h"

namespace orepa::hdf5 {

// What an array says of itself: bytes that the file has to hold, as they are or compressed.
struct Claim {
  int64_t bytes = 0;
  bool compressed = false;
};

// Throws Error that starts with `where` where the array lies in other files, or claims more numbers
// than there can be.
Claim claim_of(hid_t array, const Shape& shape, const std::string& where);

// How much a byte of a file can hold at the most, where it is compressed: deflate, the densest
// filter of weights, makes at most so many bytes of one (zlib's technical notes).
constexpr int64_t kMostPerByte = 1032;

}  // namespace orepa::hdf5
