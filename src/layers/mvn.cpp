#include <cmath>
#include <numeric>

#include "layers/broadcast.h"
#include "orepa/layer.h"
#include "orepa/onnx_layer.h"
#include "orepa/parallel.h"

namespace orepa {
namespace {

// Terms of sums over a group: a sample, or one of its channels.
struct Mean {
  Broadcast groups;
  const float* x;
  OREPA_HD float operator()(int64_t g, int64_t k) const {
    return x[groups.large(g, k)] / static_cast<float>(groups.rest());
  }
};
struct MeanSquare {
  Broadcast groups;
  const float *x, *mean;
  OREPA_HD float operator()(int64_t g, int64_t k) const {
    const float away = x[groups.large(g, k)] - mean[g];
    return away * away / static_cast<float>(groups.rest());
  }
};
struct MeanProduct {
  Broadcast groups;
  const float *a, *b;
  OREPA_HD float operator()(int64_t g, int64_t k) const {
    const int64_t i = groups.large(g, k);
    return a[i] * b[i] / static_cast<float>(groups.rest());
  }
};

// From a mean square to what is divided by. Caffe adds eps outside of the root.
struct Divisor {
  float eps;
  float* divisor;
  OREPA_HD void operator()(int64_t g) const { divisor[g] = sqrtf(divisor[g]) + eps; }
};

struct Forward {
  Broadcast groups;
  const float *x, *mean, *divisor;  // null: 1
  float* y;
  OREPA_HD void operator()(int64_t i) const {
    const int64_t g = groups.small(i);
    y[i] = (x[i] - mean[g]) / (divisor == nullptr ? 1.0f : divisor[g]);
  }
};

// Caffe's, which takes eps for nothing: exact for divisors that are large against it.
struct Backward {
  Broadcast groups;
  const float *y, *dy, *mean, *product, *divisor;  // means of dy and of y dy
  float* dx;
  OREPA_HD void operator()(int64_t i) const {
    const int64_t g = groups.small(i);
    const float flat = dy[i] - mean[g];
    dx[i] = divisor == nullptr ? flat : (flat - y[i] * product[g]) / divisor[g];
  }
};

class MVN : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("mvn_param");
    const Shape& x = setup.input(0);
    const bool across = options.flag("across_channels");
    setup.require(x.rank() >= (across ? 2 : 3), "bottom must be N x C x H x W",
                  across ? ", or N x C" : "", ", got ", x.str());
    eps_ = static_cast<float>(options.number("eps"));
    groups_ = Broadcast(x, across ? Shape{x[0]} : Shape{x[0], x[1]}, 0);
    const int64_t bytes = groups_.count() * int64_t{sizeof(float)};
    mean_ = setup.scratch(Stage::kForward, bytes);
    gradient_mean_ = setup.scratch(Stage::kBackward, bytes);
    if (options.flag("normalize_variance")) {
      divisor_ = setup.saved(bytes);
      product_ = setup.scratch(Stage::kBackward, bytes);
      setup.backward_reads_output(0);
    }
    setup.output_may_overwrite_input(0, 0);
    setup.input_gradient_may_overwrite(0);
    return {x};
  }

  void forward(Pass& pass) override {
    const float* x = pass.input(0).floats();
    float *mean = pass.floats(mean_), *divisor = nullptr;
    reduce(pass, Mean{groups_, x}, mean);
    if (divisor_ >= 0) {
      divisor = pass.floats(divisor_);
      reduce(pass, MeanSquare{groups_, x, mean}, divisor);
      parallel_for(pass.device(), groups_.count(), Divisor{eps_, divisor});
    }
    parallel_for(pass.device(), pass.input(0).count(),
                 Forward{groups_, x, mean, divisor, pass.output(0).floats()});
  }

  void backward(Pass& pass) override {
    const float* dy = pass.output_gradient(0).floats();
    Backward back{groups_,
                  nullptr,
                  dy,
                  pass.floats(gradient_mean_),
                  nullptr,
                  nullptr,
                  pass.input_gradient(0).floats()};
    reduce(pass, Mean{groups_, dy}, pass.floats(gradient_mean_));
    if (divisor_ >= 0) {
      back.y = pass.output(0).floats();
      back.product = pass.floats(product_);
      back.divisor = pass.floats(divisor_);
      reduce(pass, MeanProduct{groups_, back.y, dy}, pass.floats(product_));
    }
    parallel_for(pass.device(), pass.input_gradient(0).count(), back);
  }

 private:
  template <class Term>
  void reduce(Pass& pass, const Term& term, float* out) const {
    reduce_rows(pass.device(), groups_.count(), groups_.rest(), term, out);
  }
  Broadcast groups_;
  float eps_ = 0;
  Handle mean_ = -1, divisor_ = -1, gradient_mean_ = -1, product_ = -1;
};

void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("mvn_param");
  const int first = options.flag("across_channels") ? 1 : 2;
  std::vector<int64_t> axes(static_cast<size_t>(layer.output_shape.rank() - first));
  std::iota(axes.begin(), axes.end(), first);
  const auto mean = [&](const std::string& of) {
    return layer.before("ReduceMean", {of}, {{"axes", axes}});
  };
  const std::string& x = layer.inputs[0];
  if (!options.flag("normalize_variance")) return layer.last("Sub", {x, mean(x)});
  const std::string away = layer.before("Sub", {x, mean(x)});
  const std::string deviation = layer.before("Sqrt", {mean(layer.before("Mul", {away, away}))});
  const auto eps = static_cast<float>(options.number("eps"));
  layer.last("Div", {away, layer.before("Add", {deviation, layer.constant("eps", {1}, {eps})})});
}

OREPA_LAYER(MVN, "subtracts the mean of each channel, or sample, and divides by its deviation")
    .keeps_channels()
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
