#include "layers/shared_batch_norm.h"

#include <cmath>

#include "layers/axis.h"
#include "orepa/numbers.h"

namespace orepa {
namespace {

// Of a channel and one of its positions.
struct Value {
  AxisView view;
  Numbers x;
  OREPA_HD float operator()(int64_t k, int64_t c) const { return x[view.position(k, c)]; }
};

struct SquaredDistance {
  Value value;
  const float* mean;
  OREPA_HD float operator()(int64_t k, int64_t c) const {
    const float distance = value(k, c) - mean[c];
    return distance * distance;
  }
};

// Mean and summed squared distances of some values, as sums of all values and of their squares:
// double, so that a large mean costs no digits.
struct ToSums {
  const float *mean, *squares;
  double count;
  double *sum, *square_sum;
  OREPA_HD void operator()(int64_t c) const {
    sum[c] = count * mean[c];
    square_sum[c] = squares[c] + sum[c] * mean[c];
  }
};
struct FromSums {
  const double *sum, *square_sum;
  double count;
  float *mean, *variance;
  OREPA_HD void operator()(int64_t c) const {
    const double all = sum[c] / count, variance_of_all = square_sum[c] / count - all * all;
    mean[c] = static_cast<float>(all);
    variance[c] = variance_of_all < 0 ? 0 : static_cast<float>(variance_of_all);
  }
};

struct Divide {
  float* x;
  float by;
  OREPA_HD void operator()(int64_t c) const { x[c] /= by; }
};

struct Channels {
  AxisView view;
  const float *scale, *mean, *variance;
  float eps;
  OREPA_HD int64_t of(int64_t i) const { return i / view.inner % view.extent; }
  OREPA_HD float inverse(int64_t c) const { return 1 / sqrtf(variance[c] + eps); }
  OREPA_HD float normal(float x, int64_t c) const { return (x - mean[c]) * inverse(c); }
};

struct Apply {
  Channels channels;
  const float* shift;
  Numbers x, y;
  unsigned char* open;  // where a ReLU let y through; null without one
  OREPA_HD void operator()(int64_t i) const {
    const int64_t c = channels.of(i);
    const float value = channels.normal(x[i], c) * channels.scale[c] + shift[c];
    const bool passes = open == nullptr || value > 0;
    if (open != nullptr) open[i] = passes;
    y.set(i, passes ? value : 0);
  }
};

// dy behind the ReLU, alone and times the normalised x.
struct Flow {
  Channels channels;
  Numbers x, dy;
  const unsigned char* open;
  OREPA_HD float of(int64_t i) const { return open == nullptr || open[i] != 0 ? dy[i] : 0.0f; }
};
struct FlowSum {
  Flow flow;
  bool normal;
  OREPA_HD float operator()(int64_t k, int64_t c) const {
    const int64_t i = flow.channels.view.position(k, c);
    return flow.of(i) * (normal ? flow.channels.normal(flow.x[i], c) : 1.0f);
  }
};
struct InputGradient {
  Flow flow;
  const float *shift_sum, *scale_sum;  // over the whole batch
  float count;                         // of its values, a channel
  Numbers dx;
  OREPA_HD void operator()(int64_t i) const {
    const Channels& channels = flow.channels;
    const int64_t c = channels.of(i);
    const float normal = channels.normal(flow.x[i], c);
    dx.set(i, channels.scale[c] * channels.inverse(c) *
                  (flow.of(i) - (shift_sum[c] + normal * scale_sum[c]) / count));
  }
};

class SharedBatchNorm : public BatchNormPlan {
 public:
  SharedBatchNorm(Device& device, Communicator& ranks, const BatchNormGeometry& geometry,
                  const BatchRows& rows)
      : device_(device),
        ranks_(ranks),
        geometry_(geometry),
        rows_(rows),
        view_(AxisView::of(geometry.shape, 1)) {}

  int64_t saved_bytes() const override { return geometry_.relu ? geometry_.shape.count() : 0; }
  int64_t forward_workspace() const override {
    return aligned(2 * view_.extent * int64_t{sizeof(double)}) + scratch_bytes();
  }
  int64_t backward_workspace() const override {
    return aligned(2 * view_.extent * int64_t{sizeof(float)}) + scratch_bytes();
  }

  void forward(const void* x, const float* scale, const float* shift, void* y, float* mean,
               float* variance, void* saved, void* workspace) override {
    const int64_t channels = view_.extent, positions = view_.positions();
    auto *sums = static_cast<double*>(workspace), *square_sums = sums + channels;
    auto* scratch = behind(workspace, 2 * channels * int64_t{sizeof(double)});
    const Value value{view_, numbers(x)};
    // Of this rank's rows first.
    reduce_columns(device_, positions, channels, value, mean, false, scratch);
    parallel_for(device_, channels, Divide{mean, static_cast<float>(positions)});
    reduce_columns(device_, positions, channels, SquaredDistance{value, mean}, variance, false,
                   scratch);
    parallel_for(device_, channels,
                 ToSums{mean, variance, static_cast<double>(positions), sums, square_sums});
    sum({sums, 2 * channels, Communicator::Numbers::Type::kFloat64});
    parallel_for(device_, channels, FromSums{sums, square_sums, whole(), mean, variance});
    parallel_for(device_, geometry_.shape.count(),
                 Apply{bound(scale, mean, variance), shift, numbers(x), numbers(y), mask(saved)});
  }

  // Given statistics are everybody's.
  void normalize(const void* x, const float* scale, const float* shift, const float* mean,
                 const float* variance, void* y, void*) override {
    parallel_for(device_, geometry_.shape.count(),
                 Apply{bound(scale, mean, variance), shift, numbers(x), numbers(y), nullptr});
  }

  void backward(const void* x, const void* dy, const float* scale, const float* mean,
                const float* variance, const void* saved, void* dx, float* dscale, float* dshift,
                void* workspace) override {
    const int64_t channels = view_.extent, positions = view_.positions();
    auto *shift_sum = static_cast<float*>(workspace), *scale_sum = shift_sum + channels;
    auto* scratch = behind(workspace, 2 * channels * int64_t{sizeof(float)});
    const Flow flow{bound(scale, mean, variance), numbers(x), numbers(dy),
                    mask(const_cast<void*>(saved))};
    reduce_columns(device_, positions, channels, FlowSum{flow, false}, shift_sum, false, scratch);
    reduce_columns(device_, positions, channels, FlowSum{flow, true}, scale_sum, false, scratch);
    // Gradients of scale and shift are this rank's, as all gradients are.
    if (dscale != nullptr) {
      device_.copy(dshift, shift_sum, channels * int64_t{sizeof(float)});
      device_.copy(dscale, scale_sum, channels * int64_t{sizeof(float)});
    }
    sum({shift_sum, 2 * channels, Communicator::Numbers::Type::kFloat32});
    parallel_for(
        device_, geometry_.shape.count(),
        InputGradient{flow, shift_sum, scale_sum, static_cast<float>(whole()), numbers(dx)});
  }

 private:
  // Values that a channel has in the whole batch.
  double whole() const {
    return static_cast<double>(view_.positions() / rows_.count * rows_.whole);
  }
  int64_t scratch_bytes() const { return reduce_columns_scratch(view_.positions(), view_.extent); }
  static float* behind(void* workspace, int64_t bytes) {
    return reinterpret_cast<float*>(static_cast<char*>(workspace) + aligned(bytes));
  }
  Numbers numbers(const void* data) const {
    return Tensor{const_cast<void*>(data), geometry_.shape, geometry_.type};
  }
  unsigned char* mask(void* saved) const {
    return geometry_.relu ? static_cast<unsigned char*>(saved) : nullptr;
  }
  Channels bound(const float* scale, const float* mean, const float* variance) const {
    return {view_, scale, mean, variance, geometry_.eps};
  }
  void sum(const Communicator::Numbers& numbers) {
    ranks_.start_sum(numbers);
    ranks_.finish_sums();
  }

  Device& device_;
  Communicator& ranks_;
  const BatchNormGeometry geometry_;
  const BatchRows rows_;
  const AxisView view_;
};

}  // namespace

std::shared_ptr<BatchNormPlan> shared_batch_norm(Device& device, Communicator& ranks,
                                                 const BatchNormGeometry& geometry,
                                                 const BatchRows& rows) {
  return std::make_shared<SharedBatchNorm>(device, ranks, geometry, rows);
}

}  // namespace orepa
