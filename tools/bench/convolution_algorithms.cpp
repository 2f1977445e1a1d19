// Times Winograd against the direct convolution, one pass at a time, whatever the rule of
// src/backend/cpu/winograd.cpp chooses: the numbers behind that rule. One thread, its processor
// time, the two in turns, the fastest of all runs: other work on the machine hardly disturbs. The
// argument says of which convolutions of stride 1: 3x3 (also without one), BF16 (3 x 3 of
// activations in bfloat16), GROUPS (3 x 3 in groups) or 5x5.
#include <omp.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "backend/cpu/onednn.h"
#include "orepa/numbers.h"
#include "orepa/random.h"

using namespace orepa;

namespace {

constexpr int kRuns = 9;

// A plan with everything its passes read and write.
class Subject {
 public:
  Subject(Device& device, const ConvolutionGeometry& geometry,
          std::shared_ptr<ConvolutionPlan> plan)
      : plan_(std::move(plan)),
        x_(device, geometry.input.bytes(geometry.type)),
        y_(device, geometry.output().bytes(geometry.type)),
        kernel_(device, geometry.kernel.bytes()),
        forward_(device, plan_->packed_bytes(ConvolutionPlan::kForward)),
        backward_(device, plan_->packed_bytes(ConvolutionPlan::kBackwardData)),
        workspace_(device, std::max({plan_->forward_workspace(), plan_->backward_data_workspace(),
                                     plan_->backward_kernel_workspace()})) {
    const Random random(1, "convolution");
    for (const Tensor& tensor : {Tensor{x_.data(), geometry.input, geometry.type},
                                 Tensor{y_.data(), geometry.output(), geometry.type},
                                 Tensor{kernel_.data(), geometry.kernel}})
      for (int64_t i = 0; i < tensor.count(); ++i)
        Numbers(tensor).set(i, random.uniform(static_cast<uint64_t>(i)) - 0.5f);
  }

  // Milliseconds of pass 0 (forward), 1 (data gradient) or 2 (kernel gradient).
  double time(int pass) {
    const std::clock_t begin = std::clock();
    if (pass == 0) {
      plan_->pack(ConvolutionPlan::kForward, kernel(), forward_.data());
      plan_->forward(x_.data(), forward_.data(), nullptr, y_.data(), workspace_.data());
    } else if (pass == 1) {
      plan_->pack(ConvolutionPlan::kBackwardData, kernel(), backward_.data());
      plan_->backward_data(y_.data(), backward_.data(), x_.data(), workspace_.data());
    } else {
      plan_->backward_kernel(x_.data(), y_.data(), kernel(), false, workspace_.data());
    }
    return 1e3 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  }

 private:
  float* kernel() const { return static_cast<float*>(kernel_.data()); }

  std::shared_ptr<ConvolutionPlan> plan_;
  DeviceMemory x_, y_, kernel_, forward_, backward_, workspace_;
};

struct Layer {
  int64_t inputs, outputs, extent, groups = 1;
};

struct Kind {
  int64_t kernel;
  std::vector<Layer> layers;
};

const std::map<std::string, Kind> kKinds = {
    {"3x3",
     {3,
      {{16, 16, 28},
       {32, 32, 14},
       {32, 32, 28},
       {32, 32, 7},
       {64, 64, 56},
       {64, 64, 28},
       {64, 64, 14},
       {64, 64, 7},
       {128, 128, 28},
       {128, 128, 14},
       {128, 128, 7},
       {256, 256, 14},
       {256, 256, 7},
       {512, 512, 7}}}},
    {"GROUPS",
     {3,
      {{64, 64, 28, 2},
       {64, 64, 14, 2},
       {128, 128, 14, 4},
       {128, 128, 14, 2},
       {256, 256, 7, 8},
       {256, 256, 7, 2},
       {1024, 1024, 14, 32},
       {1024, 1024, 7, 32},
       {384, 384, 13, 2},     // AlexNet's conv4
       {384, 256, 13, 2}}}},  // and conv5
    {"5x5",
     {5,
      {{16, 16, 28},
       {16, 32, 28},  // GoogLeNet's branches
       {32, 96, 28},
       {16, 48, 14},
       {24, 64, 14},
       {32, 128, 14},
       {32, 128, 7},
       {48, 128, 7},
       {20, 50, 8},   // LeNet's conv2 with padding
       {32, 32, 16},  // CIFAR-10's conv2
       {32, 64, 8},   // and conv3
       {32, 32, 8},
       {64, 64, 28},
       {64, 64, 14},
       {64, 64, 7},
       {128, 128, 14},
       {128, 128, 7},
       {256, 256, 7},
       {96, 256, 27, 2}}}},  // AlexNet's conv2
};

void compare(Device& device, cpu::OneDnn& onednn, const ConvolutionGeometry& g) {
  Subject winograd(device, g, cpu::make_winograd(onednn, g));
  Subject direct(device, g, device.convolution(g));
  std::printf("%4d x %3d -> %3d / %d @ %2d  %-8s", static_cast<int>(g.input[0]),
              static_cast<int>(g.input[1]), static_cast<int>(g.kernel[0]),
              static_cast<int>(g.groups), static_cast<int>(g.input[2]),
              cpu::is_winograd(g, Algorithm::kAuto) ? "winograd" : "direct");
  double winograd_sum = 0, direct_sum = 0;
  for (int pass = 0; pass < 3; ++pass) {
    double best_winograd = 1e30, best_direct = 1e30;
    for (int run = 0; run < kRuns; ++run) {
      best_direct = std::min(best_direct, direct.time(pass));
      best_winograd = std::min(best_winograd, winograd.time(pass));
    }
    std::printf("  %8.3f / %8.3f = %.2f", best_winograd, best_direct, best_winograd / best_direct);
    winograd_sum += best_winograd;
    direct_sum += best_direct;
  }
  std::printf("  %.2f\n", winograd_sum / direct_sum);
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
  const std::string name = count > 1 ? arguments[1] : "3x3";
  const auto known = kKinds.find(name == "BF16" ? "3x3" : name);
  require(known != kKinds.end(), "got ", name, ", expected 3x3, BF16, GROUPS or 5x5");
  omp_set_num_threads(1);
  const auto device = make_device("cpu", {Algorithm::kDirect});
  cpu::OneDnn onednn(*device, {});
  std::printf(
      "%s\nimages x inputs -> outputs / groups @ extent, what the rule chooses: milliseconds "
      "WINOGRAD / DIRECT, forward, data gradient, kernel gradient, and all\n",
      device->description().c_str());
  const Kind& kind = known->second;
  for (const Layer& layer : kind.layers)
    for (const int64_t batch : {1, 2, 4, 8, 16})
      compare(*device, onednn,
              {.input = {batch, layer.inputs, layer.extent, layer.extent},
               .kernel = {layer.outputs, layer.inputs / layer.groups, kind.kernel, kind.kernel},
               .pad = {kind.kernel / 2, kind.kernel / 2},
               .groups = layer.groups,
               .type = name == "BF16" ? DType::kBFloat16 : DType::kFloat32});
}
