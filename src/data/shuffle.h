// The order of samples as a function, so that no list has to be kept, saved or sent to other ranks.
#pragma once
#include <cstdint>

#include "orepa/random.h"

namespace orepa {

// Where `position` goes in a permutation of [0, count) that `key` chooses: a Feistel network over
// the smallest power of 4 that holds `count`, walked until it comes back into the range (Black and
// Rogaway, Ciphers with Arbitrary Finite Domains, CT-RSA 2002).
// REQUIRES: 0 <= position < count <= 2^62.
int64_t shuffled(int64_t position, int64_t count, const Random& key);

}  // namespace orepa
