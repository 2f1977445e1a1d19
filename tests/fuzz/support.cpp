#include "tests/fuzz/support.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace orepa::fuzz {
namespace {

const char* const kSmallNet = R"(
  layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }
  layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 } } }
  layer { name: "conv/3x3" type: "Convolution" bottom: "data" top: "conv"
    convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "msra" } } }
  layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "bn" }
  layer { name: "scale" type: "Scale" bottom: "bn" top: "bn" scale_param { bias_term: true } }
  layer { name: "orepa" type: "ORepaConv" bottom: "bn" top: "orepa"
    convolution_param { num_output: 2 kernel_size: 3 } orepa_param { preset: OREPA } }
  layer { name: "fc" type: "InnerProduct" bottom: "orepa" top: "fc"
    inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
  layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" })";

NetOptions options_of(Phase phase) {
  NetOptions options;
  options.phase = phase;
  return options;
}

}  // namespace

namespace {

// Lives until the process ends.
struct Folder {
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  const std::string path = text("/dev/shm/orepa_fuzz.", ::getpid(), "/");
};

}  // namespace

const std::string& folder() {
  static const Folder own;
  return own.path;
}

void write_file(const std::string& path, const uint8_t* bytes, size_t size) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes), static_cast<std::streamsize>(size));
}

void require_place(const std::string& message, const std::string& place) {
  if (message.find(place) != std::string::npos) return;
  std::fprintf(stderr, "an Error that does not name %s: %s\n", place.c_str(), message.c_str());
  std::abort();
}

bool builds_small(const NetSpec& spec, Phase phase, Device& device) {
  constexpr double kMostBytes = 2e7, kMostOperations = 1e7;
  Parameters parameters(device, 0, phase == Phase::kTrain);
  Arena arena(device);
  NetOptions options = options_of(phase);
  options.allocate = false;
  const Net net(spec, parameters, arena, options);
  auto bytes = static_cast<double>(net.arena_bytes()) + static_cast<double>(net.persistent_bytes());
  double operations = 0;
  for (const LayerReport& row : net.report()) {
    bytes += 4.0 * static_cast<double>(row.parameters) + static_cast<double>(row.activation_bytes);
    operations += static_cast<double>(row.macs);
  }
  return bytes <= kMostBytes && operations <= kMostOperations;
}

SmallNet::SmallNet(Phase phase)
    : spec(NetSpec::parse(kSmallNet, "small.prototxt")),
      parameters(*device, 0, phase == Phase::kTrain),
      net(spec, parameters, arena, options_of(phase)) {}

}  // namespace orepa::fuzz
