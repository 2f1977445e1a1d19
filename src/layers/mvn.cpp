#include <cmath>
#include <numeric>

#include "layers/group_sums.h"
#include "orepa/layer.h"
#include "orepa/onnx_layer.h"
#include "orepa/parallel.h"

namespace orepa {
namespace {

// Numbers that are normalised together: those of a sample or of one of its channels. Memory is rows
// of `columns` numbers; where `planes`, a group is a column of `rows` of them, else a row.
struct Groups {
  int64_t count = 1, rows = 1, columns = 1;
  bool planes = false;
  int64_t all_rows() const { return planes ? count / columns * rows : count; }
  OREPA_HD int64_t size() const { return planes ? rows : columns; }
  OREPA_HD int64_t of(int64_t r, int64_t j) const { return planes ? r / rows * columns + j : r; }
};

// Terms of sums over a group.
struct Mean {
  Groups groups;
  const float* x;
  OREPA_HD float operator()(int64_t r, int64_t j) const {
    return x[r * groups.columns + j] / static_cast<float>(groups.size());
  }
};
struct MeanSquare {
  Groups groups;
  const float *x, *mean;
  OREPA_HD float operator()(int64_t r, int64_t j) const {
    const float away = x[r * groups.columns + j] - mean[groups.of(r, j)];
    return away * away / static_cast<float>(groups.size());
  }
};
struct MeanProduct {
  Groups groups;
  const float *a, *b;
  OREPA_HD float operator()(int64_t r, int64_t j) const {
    const int64_t i = r * groups.columns + j;
    return a[i] * b[i] / static_cast<float>(groups.size());
  }
};

// From a mean square to what is divided by. Caffe adds eps outside of the root.
struct Divisor {
  float eps;
  float* divisor;
  OREPA_HD void operator()(int64_t g) const { divisor[g] = sqrtf(divisor[g]) + eps; }
};

struct Forward {
  Groups groups;
  const float *x, *mean, *divisor;  // null: 1
  float* y;
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const int64_t i = r * groups.columns + j, g = groups.of(r, j);
    y[i] = (x[i] - mean[g]) / (divisor == nullptr ? 1.0f : divisor[g]);
  }
};

// Caffe's, which takes eps for nothing: exact for divisors that are large against it.
struct Backward {
  Groups groups;
  const float *y, *dy, *mean, *product, *divisor;  // means of dy and of y dy
  float* dx;
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const int64_t i = r * groups.columns + j, g = groups.of(r, j);
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
    const int64_t size = x.count(across ? 1 : 2, x.rank());
    groups_ = {x.count() / size, 1, size, false};
    if (x.rank() == 4 && !across) groups_ = {groups_.count, size, x[1], true};
    const int64_t bytes = groups_.count * int64_t{sizeof(float)};
    mean_ = setup.scratch(Stage::kForward, bytes);
    gradient_mean_ = setup.scratch(Stage::kBackward, bytes);
    if (groups_.planes) {
      const int64_t partial = group_sums_scratch(x[0], size, x[1]);
      partial_ = setup.scratch(Stage::kForward, partial);
      gradient_partial_ = setup.scratch(Stage::kBackward, partial);
    }
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
    add_up(pass, partial_, Mean{groups_, x}, mean);
    if (divisor_ >= 0) {
      divisor = pass.floats(divisor_);
      add_up(pass, partial_, MeanSquare{groups_, x, mean}, divisor);
      parallel_for(pass.device(), groups_.count, Divisor{eps_, divisor});
    }
    parallel_rows(pass.device(), groups_.all_rows(), groups_.columns,
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
    add_up(pass, gradient_partial_, Mean{groups_, dy}, pass.floats(gradient_mean_));
    if (divisor_ >= 0) {
      back.y = pass.output(0).floats();
      back.product = pass.floats(product_);
      back.divisor = pass.floats(divisor_);
      add_up(pass, gradient_partial_, MeanProduct{groups_, back.y, dy}, pass.floats(product_));
    }
    parallel_rows(pass.device(), groups_.all_rows(), groups_.columns, back);
  }

 private:
  template <class Term>
  void add_up(Pass& pass, Handle partial, const Term& term, float* out) const {
    if (groups_.planes)
      sum_groups(pass.device(), groups_.count / groups_.columns, groups_.rows, groups_.columns,
                 term, out, pass.floats(partial));
    else
      reduce_rows(pass.device(), groups_.count, groups_.columns, term, out);
  }
  Groups groups_;
  float eps_ = 0;
  Handle mean_ = -1, divisor_ = -1, gradient_mean_ = -1, product_ = -1;
  Handle partial_ = -1, gradient_partial_ = -1;
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
