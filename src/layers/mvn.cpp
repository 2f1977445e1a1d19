#include <cmath>
#include <numeric>

#include "layers/group_sums.h"
#include "orepa/layer.h"
#include "orepa/onnx_layer.h"
#include "orepa/parallel.h"

namespace orepa {
namespace {

// Numbers that are normalised together: those of a sample or of one of its channels. Memory is rows
// of `columns` numbers.
struct Extents {
  int64_t count = 1, rows = 1, columns = 1;  // groups; rows and columns of one, or of a plane
  float share = 1;                           // of one number in a mean
};
// Whether groups lie in planes is known at compile time, so that sums are vectorised: then a group
// is a column of `rows` rows, else a row.
template <bool planes>
struct Groups : Extents {
  int64_t all_rows() const { return planes ? count / columns * rows : count; }
  OREPA_HD int64_t of(int64_t r, int64_t j) const { return planes ? r / rows * columns + j : r; }
};

// Terms of sums over a group.
template <bool planes>
struct Mean {
  Groups<planes> groups;
  const float* x;
  OREPA_HD float operator()(int64_t r, int64_t j) const {
    return x[r * groups.columns + j] * groups.share;
  }
};
template <bool planes>
struct MeanSquare {
  Groups<planes> groups;
  const float *x, *mean;
  OREPA_HD float operator()(int64_t r, int64_t j) const {
    const float away = x[r * groups.columns + j] - mean[groups.of(r, j)];
    return away * away * groups.share;
  }
};
template <bool planes>
struct MeanProduct {
  Groups<planes> groups;
  const float *a, *b;
  OREPA_HD float operator()(int64_t r, int64_t j) const {
    const int64_t i = r * groups.columns + j;
    return a[i] * b[i] * groups.share;
  }
};

// From a mean square to what is multiplied by. Caffe adds eps outside of the root.
struct Invert {
  float eps;
  float* inverse;
  OREPA_HD void operator()(int64_t g) const { inverse[g] = 1 / (sqrtf(inverse[g]) + eps); }
};

template <bool planes>
struct Forward {
  Groups<planes> groups;
  const float *x, *mean, *inverse;  // null: 1
  float* y;
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const int64_t i = r * groups.columns + j, g = groups.of(r, j);
    y[i] = (x[i] - mean[g]) * (inverse == nullptr ? 1.0f : inverse[g]);
  }
};

// Caffe's, which takes eps for nothing: exact for deviations that are large against it.
template <bool planes>
struct Backward {
  Groups<planes> groups;
  const float *y, *dy, *mean, *product, *inverse;  // means of dy and of y dy
  float* dx;
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const int64_t i = r * groups.columns + j, g = groups.of(r, j);
    const float flat = dy[i] - mean[g];
    dx[i] = inverse == nullptr ? flat : (flat - y[i] * product[g]) * inverse[g];
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
    planes_ = x.rank() == 4 && !across;
    extents_ = {x.count() / size, 1, size, 1 / static_cast<float>(size)};
    if (planes_) extents_.rows = size, extents_.columns = x[1];
    const int64_t bytes = extents_.count * int64_t{sizeof(float)};
    mean_ = setup.scratch(Stage::kForward, bytes);
    gradient_mean_ = setup.scratch(Stage::kBackward, bytes);
    if (planes_) {
      const int64_t partial = group_sums_scratch(x[0], size, x[1]);
      partial_ = setup.scratch(Stage::kForward, partial);
      gradient_partial_ = setup.scratch(Stage::kBackward, partial);
    }
    if (options.flag("normalize_variance")) {
      inverse_ = setup.saved(bytes);
      product_ = setup.scratch(Stage::kBackward, bytes);
      setup.backward_reads_output(0);
    }
    setup.output_may_overwrite_input(0, 0);
    setup.input_gradient_may_overwrite(0);
    return {x};
  }

  void forward(Pass& pass) override {
    planes_ ? forward(pass, Groups<true>{extents_}) : forward(pass, Groups<false>{extents_});
  }
  void backward(Pass& pass) override {
    planes_ ? backward(pass, Groups<true>{extents_}) : backward(pass, Groups<false>{extents_});
  }

 private:
  template <bool planes>
  void forward(Pass& pass, const Groups<planes>& groups) const {
    const float* x = pass.input(0).floats();
    float *mean = pass.floats(mean_), *inverse = nullptr;
    add_up(pass, groups, partial_, Mean<planes>{groups, x}, mean);
    if (inverse_ >= 0) {
      inverse = pass.floats(inverse_);
      add_up(pass, groups, partial_, MeanSquare<planes>{groups, x, mean}, inverse);
      parallel_for(pass.device(), groups.count, Invert{eps_, inverse});
    }
    parallel_rows(pass.device(), groups.all_rows(), groups.columns,
                  Forward<planes>{groups, x, mean, inverse, pass.output(0).floats()});
  }
  template <bool planes>
  void backward(Pass& pass, const Groups<planes>& groups) const {
    const float* dy = pass.output_gradient(0).floats();
    Backward<planes> back{groups,
                          nullptr,
                          dy,
                          pass.floats(gradient_mean_),
                          nullptr,
                          nullptr,
                          pass.input_gradient(0).floats()};
    add_up(pass, groups, gradient_partial_, Mean<planes>{groups, dy}, pass.floats(gradient_mean_));
    if (inverse_ >= 0) {
      back.y = pass.output(0).floats();
      back.product = pass.floats(product_);
      back.inverse = pass.floats(inverse_);
      add_up(pass, groups, gradient_partial_, MeanProduct<planes>{groups, back.y, dy},
             pass.floats(product_));
    }
    parallel_rows(pass.device(), groups.all_rows(), groups.columns, back);
  }
  template <bool planes, class Term>
  void add_up(Pass& pass, const Groups<planes>& groups, Handle partial, const Term& term,
              float* out) const {
    if constexpr (planes)
      sum_groups(pass.device(), groups.count / groups.columns, groups.rows, groups.columns, term,
                 out, pass.floats(partial));
    else
      reduce_rows(pass.device(), groups.count, groups.columns, term, out);
  }
  bool planes_ = false;
  Extents extents_;
  float eps_ = 0;
  Handle mean_ = -1, inverse_ = -1, gradient_mean_ = -1, product_ = -1;
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
