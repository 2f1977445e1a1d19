// A convolution's plan with its inputs, and the convolution's definition, summed in double.
#pragma once
#include "tests/backend/cpu/numbers.h"
#include "tests/comparison.h"
#include "tests/test_device.h"

namespace orepa {

// Sums of up to 10^4 products in float: sqrt(10^4) roundings of 6e-8 each. Winograd's transforms
// lose a little more; measured, at most 3e-6.
inline constexpr double kTolerance = 1e-5;
// Where activations are bfloat16: y, the kernel and what Winograd multiplies are rounded by 2^-9.
inline constexpr double kNarrowTolerance = 4.0 / 512;
inline double tolerance(DType type) {
  return type == DType::kFloat32 ? kTolerance : kNarrowTolerance;
}

// Calls visit(y index, x index, kernel index, o) for every product of the convolution.
template <class Visit>
void for_each_product(const ConvolutionGeometry& g, Visit visit) {
  const Shape y = g.output();
  const int64_t group_outputs = g.kernel[0] / g.groups, group_inputs = g.kernel[1];
  for (int64_t n = 0; n < y[0]; ++n)
    for (int64_t oh = 0; oh < y[2]; ++oh)
      for (int64_t ow = 0; ow < y[3]; ++ow)
        for (int64_t kh = 0; kh < g.kernel[2]; ++kh)
          for (int64_t kw = 0; kw < g.kernel[3]; ++kw) {
            const int64_t h = oh * g.stride[0] - g.pad[0] + kh * g.dilation[0];
            const int64_t w = ow * g.stride[1] - g.pad[1] + kw * g.dilation[1];
            if (h < 0 || h >= g.input[2] || w < 0 || w >= g.input[3]) continue;
            for (int64_t o = 0; o < y[1]; ++o)
              for (int64_t i = 0; i < group_inputs; ++i)
                visit(((n * y[2] + oh) * y[3] + ow) * y[1] + o,
                      ((n * g.input[2] + h) * g.input[3] + w) * g.input[1] +
                          o / group_outputs * group_inputs + i,
                      ((o * g.kernel[2] + kh) * g.kernel[3] + kw) * group_inputs + i);
          }
}

// A plan with its inputs.
struct Convolver {
  explicit Convolver(const ConvolutionGeometry& geometry,
                     std::unique_ptr<Device> on = test_device())
      : g(geometry), device(std::move(on)), plan(device->convolution(g)) {}

  Values forward() {
    Buffer y(*device, g.output().bytes(g.type), g.type);
    const Buffer input(*device, x, g.type), offset(*device, bias);
    const Buffer packed(*device, plan->packed_bytes(ConvolutionPlan::kForward));
    pack(ConvolutionPlan::kForward, packed);
    const Buffer workspace(*device, plan->forward_workspace());
    plan->forward(input.data(), packed.data(), g.bias ? offset.data() : nullptr, y.data(),
                  workspace.data());
    return y.values();
  }
  Values backward_data() {
    Buffer dx(*device, g.input.bytes(g.type), g.type);
    const Buffer gradient(*device, dy, g.type);
    const Buffer packed(*device, plan->packed_bytes(ConvolutionPlan::kBackwardData));
    pack(ConvolutionPlan::kBackwardData, packed);
    const Buffer workspace(*device, plan->backward_data_workspace());
    plan->backward_data(gradient.data(), packed.data(), dx.data(), workspace.data());
    return dx.values();
  }
  // Added to `before` where it is given.
  Values backward_kernel(const Values* before = nullptr) {
    Buffer dkernel(*device, g.kernel.bytes());
    if (before) dkernel.set(*before);
    const Buffer input(*device, x, g.type), gradient(*device, dy, g.type);
    const Buffer workspace(*device, plan->backward_kernel_workspace());
    plan->backward_kernel(input.data(), gradient.data(), dkernel.data(), before != nullptr,
                          workspace.data());
    return dkernel.values();
  }
  void pack(ConvolutionPlan::Direction direction, const Buffer& packed) {
    const Buffer plain(*device, kernel);
    plan->pack(direction, plain.data(), packed.data());
  }

  ConvolutionGeometry g;
  Values x = random_numbers(g.input.count(), "x", g.type);
  Values kernel = random_numbers(g.kernel.count(), "kernel");
  Values bias = random_numbers(g.kernel[0], "bias");
  Values dy = random_numbers(g.output().count(), "dy", g.type);
  std::unique_ptr<Device> device;
  std::shared_ptr<ConvolutionPlan> plan;
};

inline std::vector<double> wanted_output(const Convolver& convolver) {
  std::vector<double> y(convolver.dy.size());
  for (size_t i = 0; i < y.size(); ++i)
    y[i] = convolver.g.bias ? convolver.bias[i % convolver.bias.size()] : 0;
  for_each_product(convolver.g, [&](int64_t iy, int64_t ix, int64_t ik) {
    y[iy] += double{convolver.x[ix]} * convolver.kernel[ik];
  });
  return y;
}

// All three passes, and the last one's sum with what there was.
inline void expect_definition(Convolver& convolver) {
  expect_close(convolver.forward(), wanted_output(convolver), tolerance(convolver.g.type), "y");

  std::vector<double> dx(convolver.x.size()), dkernel(convolver.kernel.size());
  for_each_product(convolver.g, [&](int64_t iy, int64_t ix, int64_t ik) {
    dx[ix] += double{convolver.dy[iy]} * convolver.kernel[ik];
    dkernel[ik] += double{convolver.dy[iy]} * convolver.x[ix];
  });
  expect_close(convolver.backward_data(), dx, tolerance(convolver.g.type), "dx");
  expect_close(convolver.backward_kernel(), dkernel, tolerance(convolver.g.type), "dkernel");
  const Values before = random_numbers(convolver.g.kernel.count(), "before");
  for (size_t i = 0; i < dkernel.size(); ++i) dkernel[i] += before[i];
  expect_close(convolver.backward_kernel(&before), dkernel, tolerance(convolver.g.type),
               "accumulated dkernel");
}

}  // namespace orepa
