// orepa's side of tools/bench_layers.py: for every line that it reads, a prototxt and how often it
// is to run, it prints the seconds of a forward and of a backward pass of the layer called "case"
// as JSON: the fastest of the runs, for other work on the machine only ever adds to them.
#include <algorithm>
#include <iostream>
#include <limits>
#include <string>

#include "orepa/model.h"

namespace {

using namespace orepa;

constexpr int kWarmUp = 2;

void measure(Device& device, const std::string& path, int runs) {
  NetOptions options;
  options.phase = Phase::kTrain;
  Model model(NetSpec::read(path), device, options);
  double forward = std::numeric_limits<double>::infinity(), backward = forward;
  for (int run = 0; run < kWarmUp + runs; ++run) {
    model.parameters.begin_step();
    model.net.prepare();
    model.net.profile(true);  // from 0
    model.net.forward(run);
    model.net.backward();
    for (const LayerReport& layer : model.net.report()) {
      if (layer.name != "case" || run < kWarmUp) continue;
      forward = std::min(forward, layer.seconds[static_cast<int>(Stage::kForward)]);
      backward = std::min(backward, layer.seconds[static_cast<int>(Stage::kBackward)]);
    }
  }
  std::cout << "[" << forward << ", " << backward << "]" << std::endl;
}

}  // namespace

int main() try {
  const auto device = make_device("cpu");
  std::string path;
  for (int runs = 0; std::cin >> path >> runs;) measure(*device, path, runs);
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
