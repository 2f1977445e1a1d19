// The smallest and the largest of labels.
#pragma once
#include <algorithm>
#include <vector>

#include "orepa/data_source.h"

namespace orepa {

// REQUIRES: there is one.
inline DataSource::Labels range_of(const std::vector<int64_t>& labels) {
  const auto [least, most] = std::minmax_element(labels.begin(), labels.end());
  return {*least, *most};
}

}  // namespace orepa
