// Devices that are only described, in tests/cudnn/devices.
#pragma once
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "backend/cuda/cudnn_graph.h"

namespace orepa::cuda {

// "a100", "h100" or "b200".
inline Target described(const std::string& device) {
  std::ifstream file(OREPA_DEVICES + device + ".json");
  const std::string json{std::istreambuf_iterator<char>(file), {}};
  EXPECT_FALSE(json.empty()) << "there is no description of " << device;
  return described_device(json);
}

}  // namespace orepa::cuda
