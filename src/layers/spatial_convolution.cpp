#include "layers/spatial_convolution.h"

#include <algorithm>
#include <limits>

#include "backend/pieces.h"
#include "layers/arithmetic.h"
#include "layers/arrangement.h"
#include "layers/taps.h"

namespace orepa {
namespace {

constexpr int kMostAxes = 8;

// The numbers of some axes, and where they stand, by their place in row-major order.
struct Grid {
  int axes = 0;
  int64_t extent[kMostAxes] = {}, step[kMostAxes] = {};

  void add(int64_t axis_extent, int64_t axis_step) {
    require(axes < kMostAxes, "a convolution of more than ", kMostAxes,
            " axes before its channels is not offered");
    extent[axes] = axis_extent;
    step[axes++] = axis_step;
  }
  OREPA_HD int64_t at(int64_t i) const {
    int64_t place = 0;
    for (int a = axes - 1; a >= 0; --a) {
      place += i % extent[a] * step[a];
      i /= extent[a];
    }
    return place;
  }
};

// The bottom, and the image that the device's plan reads instead: a row for each sample, for each
// window along the axes of depth (all spatial ones but the last two), and for each of the height x
// width pixels there; a column for each group, for each tap of the window and for each of the
// group's channels.
struct Depths {
  Grid samples;
  int count = 0;
  Taps depth[kMostAxes];
  int64_t depth_step[kMostAxes] = {};
  int64_t height = 1, width = 1, height_step = 0, width_step = 0;
  int64_t channel_step = 0, channels_per_group = 1, channels = 1, taps = 1;

  OREPA_HD int64_t columns() const { return channels * taps; }
};

struct GatherWindows {
  Depths d;
  Numbers x, image;
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const int64_t group = j / (d.taps * d.channels_per_group);
    const int64_t channel = group * d.channels_per_group + j % d.channels_per_group;
    int64_t tap = j / d.channels_per_group % d.taps, row = r / (d.height * d.width);
    int64_t at = channel * d.channel_step + r / d.width % d.height * d.height_step +
                 r % d.width * d.width_step;
    bool inside = true;
    for (int a = d.count - 1; a >= 0; --a) {
      const Taps& depth = d.depth[a];
      const int64_t pixel = depth.pixel(row % depth.out, tap % depth.size);
      inside = inside && depth.is_inside(pixel);
      at += pixel * d.depth_step[a];
      row /= depth.out;
      tap /= depth.size;
    }
    image.set(r * d.columns() + j, inside ? x[d.samples.at(row) + at] : 0.0f);
  }
};

// Row r is a pixel of the bottom: a sample's, along the axes of depth, height and width.
struct SumWindows {
  Depths d;
  Numbers dimage, dx;
  OREPA_HD void operator()(int64_t r, int64_t channel) const {
    const int64_t plane = d.height * d.width, group = channel / d.channels_per_group;
    int64_t sample = r / plane;
    int64_t at = channel * d.channel_step + r / d.width % d.height * d.height_step +
                 r % d.width * d.width_step;
    int64_t pixel[kMostAxes] = {};
    for (int a = d.count - 1; a >= 0; --a) {
      pixel[a] = sample % d.depth[a].in;
      sample /= d.depth[a].in;
      at += pixel[a] * d.depth_step[a];
    }
    float sum = 0;
    for (int64_t tap = 0; tap < d.taps; ++tap) {
      int64_t row = 0, places = 1, rest = tap;
      bool found = true;
      for (int a = d.count - 1; a >= 0; --a) {
        const Taps& depth = d.depth[a];
        const int64_t window = depth.window(pixel[a], rest % depth.size);
        found = found && window >= 0;
        row += window * places;
        places *= depth.out;
        rest /= depth.size;
      }
      if (!found) continue;
      row = (sample * places + row) * plane + r % plane;
      sum += dimage[row * d.columns() + (group * d.taps + tap) * d.channels_per_group +
                    channel % d.channels_per_group];
    }
    dx.set(d.samples.at(sample) + at, sum);
  }
};

class SpatialConvolution : public ConvolutionPlan {
 public:
  SpatialConvolution(Device& device, const SpatialGeometry& g)
      : device_(device), type_(g.type), spatial_(g.kernel.rank() - 2) {
    const Shape y = g.output();
    const std::vector<int64_t> steps = strides_of(g.input);
    Depths& d = depths_;
    for (int a = 0; a < g.axis; ++a) d.samples.add(g.input[a], steps[a]);
    d.channels = g.input[g.axis];
    d.channel_step = steps[g.axis];
    d.channels_per_group = d.channels / g.groups;
    const int depths = std::max(spatial_ - 2, 0);
    require(depths <= kMostAxes, "a convolution over more than ", kMostAxes + 2,
            " axes is not offered");
    samples_ = g.input.count(0, g.axis);
    int64_t images = samples_;
    for (; d.count < depths; ++d.count) {
      const int a = d.count, axis = g.axis + 1 + a;
      d.depth[a] = {g.input[axis], y[axis], g.kernel[2 + a], g.stride[a], g.pad[a], g.dilation[a]};
      d.depth_step[a] = steps[axis];
      d.taps *= g.kernel[2 + a];
      images *= y[axis];
    }
    ConvolutionGeometry plane;
    Pair kernel{1, 1};
    for (int a = depths; a < spatial_; ++a) {
      const int which = a - spatial_ + 2, axis = g.axis + 1 + a;
      (which == 0 ? d.height : d.width) = g.input[axis];
      (which == 0 ? d.height_step : d.width_step) = steps[axis];
      kernel[which] = g.kernel[2 + a];
      plane.stride[which] = g.stride[a];
      plane.pad[which] = g.pad[a];
      plane.dilation[which] = g.dilation[a];
    }
    plane.input = {images, d.columns(), d.height, d.width};
    plane.kernel = {g.kernel[0], g.kernel[1] * d.taps, kernel[0], kernel[1]};
    plane.groups = g.groups;
    plane.bias = g.bias;
    plane.relu = g.relu;
    plane.training = g.training;
    plane.data_gradient = g.data_gradient;
    plane.type = g.type;
    x_ = plane.input;
    y_ = plane.output();
    kernel_ = plane.kernel;
    for (const Shape& shape : {x_, y_, kernel_})
      require(shape.fits(std::numeric_limits<int64_t>::max() / 8),
              "the windows of this convolution would be ", shape.str());
    plan_ = device.convolution(plane);
    arrange(g, y);
  }

  int64_t packed_bytes(Direction direction) const override {
    return aligned(plan_->packed_bytes(direction)) + (keeps_kernel() ? 0 : kernel_.bytes());
  }
  int packed_layout(Direction direction) const override { return plan_->packed_layout(direction); }
  void pack(Direction direction, const float* kernel, void* packed) override {
    if (keeps_kernel()) return plan_->pack(direction, kernel, packed);
    void* arranged = static_cast<char*>(packed) + aligned(plan_->packed_bytes(direction));
    kernels_.gather(device_, floats(kernel), {arranged, kernel_});
    plan_->pack(direction, static_cast<const float*>(arranged), packed);
  }

  int64_t forward_workspace() const override {
    return Workspace(*this, nullptr, plan_->forward_workspace()).bytes;
  }
  int64_t backward_data_workspace() const override {
    return Workspace(*this, nullptr, plan_->backward_data_workspace()).bytes;
  }
  int64_t backward_kernel_workspace() const override {
    return Workspace(*this, nullptr, plan_->backward_kernel_workspace(), kernel_.bytes()).bytes;
  }

  void forward(const void* x, const void* packed, const float* bias, void* y,
               void* workspace) override {
    const Workspace own(*this, workspace, plan_->forward_workspace());
    gather(x, own.x);
    plan_->forward(own.x, packed, bias, own.y, own.plans);
    tops_.gather(device_, {own.y, y_, type_}, {y, y_, type_});
  }
  void backward_data(const void* dy, const void* packed, void* dx, void* workspace) override {
    const Workspace own(*this, workspace, plan_->backward_data_workspace());
    tops_.scatter(device_, activations(dy), {own.y, y_, type_});
    plan_->backward_data(own.y, packed, own.x, own.plans);
    int64_t rows = samples_ * depths_.height * depths_.width;
    for (int a = 0; a < depths_.count; ++a) rows *= depths_.depth[a].in;
    parallel_rows(device_, rows, depths_.channels,
                  SumWindows{depths_, Tensor{own.x, x_, type_}, Tensor{dx, x_, type_}});
  }
  void backward_kernel(const void* x, const void* dy, float* dkernel, bool accumulate,
                       void* workspace) override {
    const Workspace own(*this, workspace, plan_->backward_kernel_workspace(), kernel_.bytes());
    gather(x, own.x);
    tops_.scatter(device_, activations(dy), {own.y, y_, type_});
    if (keeps_kernel()) return plan_->backward_kernel(own.x, own.y, dkernel, accumulate, own.plans);
    plan_->backward_kernel(own.x, own.y, own.dkernel, false, own.plans);
    float* arranged = accumulate ? own.sum : dkernel;
    kernels_.scatter(device_, floats(own.dkernel), {arranged, kernel_});
    if (accumulate) parallel_for(device_, kernel_.count(), AddTo{arranged, dkernel});
  }
  std::string algorithm() const override { return plan_->algorithm(); }

 private:
  // What lies in the workspace: x and y as the plan has them, its kernel's gradient and that in
  // the order of the layer's, and what the plan needs itself.
  struct Workspace {
    Workspace(const SpatialConvolution& of, void* memory, int64_t plans_bytes,
              int64_t kernel_bytes = 0) {
      Pieces pieces(memory);
      x = pieces.take(of.x_.bytes(of.type_));
      y = pieces.take(of.y_.bytes(of.type_));
      dkernel = static_cast<float*>(pieces.take(kernel_bytes));
      sum = static_cast<float*>(pieces.take(kernel_bytes));
      plans = pieces.take(plans_bytes);
      bytes = pieces.used();
    }
    void *x, *y, *plans;
    float *dkernel, *sum;
    int64_t bytes;
  };

  // Whether a kernel of the layer lies in memory as the plan's: of rank 4, or of 1 x 1.
  bool keeps_kernel() const { return spatial_ == 2 || spatial_ == 0; }
  Tensor floats(const float* kernel) const { return {const_cast<float*>(kernel), kernel_}; }
  Tensor activations(const void* numbers) const { return {const_cast<void*>(numbers), y_, type_}; }

  void gather(const void* x, void* image) {
    parallel_rows(
        device_, x_.count() / depths_.columns(), depths_.columns(),
        GatherWindows{depths_, Tensor{const_cast<void*>(x), x_, type_}, Tensor{image, x_, type_}});
  }

  // Where tops and kernels of the layer stand in those of the plan.
  void arrange(const SpatialGeometry& g, const Shape& y) {
    const std::vector<int64_t> top = strides_of(y), kernel = strides_of(g.kernel);
    std::vector<Arrangement::Axis> tops, kernels;
    int64_t step = y_[1], tap_step = g.kernel[1] * depths_.taps;
    for (int a = spatial_ - 1; a >= 0; --a) {
      const int axis = g.axis + 1 + a;
      tops.push_back({y[axis], step, top[axis]});
      step *= y[axis];
      if (a + 1 == depths_.count) tap_step = g.kernel[1];
      kernels.push_back({g.kernel[2 + a], kernel[2 + a], tap_step});
      tap_step *= g.kernel[2 + a];
    }
    for (int axis = g.axis - 1; axis >= 0; --axis) {
      tops.push_back({y[axis], step, top[axis]});
      step *= y[axis];
    }
    tops.push_back({y[g.axis], 1, top[g.axis]});
    kernels.push_back({g.kernel[0], kernel[0], kernel_.count(1, 4)});
    kernels.push_back({g.kernel[1], kernel[1], 1});
    tops_ = Arrangement(tops);
    kernels_ = Arrangement(kernels);
  }

  Device& device_;
  DType type_;
  int spatial_;
  Depths depths_;
  int64_t samples_ = 0;
  Shape x_, y_, kernel_;  // of the plan
  std::shared_ptr<ConvolutionPlan> plan_;
  Arrangement tops_, kernels_;
};

}  // namespace

Shape SpatialGeometry::output() const {
  std::vector<int64_t> extents(input.extents().begin(), input.extents().begin() + axis);
  extents.push_back(kernel[0]);
  for (int a = 0; a < kernel.rank() - 2; ++a) {
    const int64_t room = input[axis + 1 + a] + 2 * pad[a] - dilation[a] * (kernel[2 + a] - 1) - 1;
    extents.push_back(room < 0 ? 0 : room / stride[a] + 1);
  }
  return Shape(std::move(extents));
}

std::shared_ptr<ConvolutionPlan> spatial_convolution(Device& device, const SpatialGeometry& g) {
  if (g.input.rank() != 4 || g.axis != 1) return std::make_shared<SpatialConvolution>(device, g);
  const auto pair = [](const std::vector<int64_t>& along) { return Pair{along[0], along[1]}; };
  return device.convolution({g.input, g.kernel, pair(g.stride), pair(g.pad), pair(g.dilation),
                             g.groups, g.bias, g.relu, g.training, g.data_gradient, g.type});
}

}  // namespace orepa
