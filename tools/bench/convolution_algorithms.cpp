// Times AUTO against DIRECT, one pass at a time, for 3 x 3 convolutions of stride 1: the numbers
// behind the rule in src/backend/cpu/winograd.cpp. One thread, its processor time, the two in
// turns, the fastest of all runs: other work on the machine hardly disturbs. With the argument
// BF16, of activations in bfloat16.
#include <omp.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>

#include "orepa/numbers.h"
#include "orepa/random.h"

namespace {

using namespace orepa;

constexpr int kRuns = 9;

// A plan with everything its passes read and write.
class Subject {
 public:
  Subject(Device& device, const ConvolutionGeometry& geometry)
      : plan_(device.convolution(geometry)),
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
  std::string algorithm() const { return plan_->algorithm(); }

 private:
  float* kernel() const { return static_cast<float*>(kernel_.data()); }

  std::shared_ptr<ConvolutionPlan> plan_;
  DeviceMemory x_, y_, kernel_, forward_, backward_, workspace_;
};

void compare(Device& device, Device& direct_device, int64_t batch, int64_t channels, int64_t extent,
             DType type) {
  const ConvolutionGeometry g{.input = {batch, channels, extent, extent},
                              .kernel = {channels, channels, 3, 3},
                              .pad = {1, 1},
                              .type = type};
  Subject chosen(device, g);
  Subject direct(direct_device, g);
  std::printf("%4d x %3d @ %2d  %-8s", static_cast<int>(batch), static_cast<int>(channels),
              static_cast<int>(extent), chosen.algorithm().c_str());
  for (int pass = 0; pass < 3; ++pass) {
    double best_chosen = 1e30, best_direct = 1e30;
    for (int run = 0; run < kRuns; ++run) {
      best_direct = std::min(best_direct, direct.time(pass));
      best_chosen = std::min(best_chosen, chosen.time(pass));
    }
    std::printf("  %8.3f / %8.3f = %.2f", best_chosen, best_direct, best_chosen / best_direct);
  }
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
  const bool narrow = count > 1 && std::string(arguments[1]) == "BF16";
  omp_set_num_threads(1);
  const auto device = orepa::make_device("cpu");
  const auto direct = orepa::make_device("cpu", {orepa::Algorithm::kDirect});
  std::printf(
      "%s\nimages x channels @ extent: milliseconds AUTO / DIRECT, forward, data gradient, "
      "kernel gradient\n",
      device->description().c_str());
  const int64_t sizes[][2] = {{16, 28},  {32, 14}, {32, 28},  {64, 56},  {64, 28},
                              {64, 14},  {64, 7},  {128, 28}, {128, 14}, {128, 7},
                              {256, 14}, {256, 7}, {512, 7}};
  for (const auto& size : sizes)
    for (const int64_t batch : {1, 2, 4, 8, 16})
      compare(*device, *direct, batch, size[0], size[1],
              narrow ? orepa::DType::kBFloat16 : orepa::DType::kFloat32);
}
