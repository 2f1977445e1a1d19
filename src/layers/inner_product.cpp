#include "layers/arithmetic.h"
#include "layers/axis.h"
#include "layers/linear.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

struct AddBias {
  const float* bias;
  float* y;
  int64_t columns;
  OREPA_HD void operator()(int64_t r, int64_t j) const { y[r * columns + j] += bias[j]; }
};

// y (M, N) = x (M, K) W^T (N, K) + bias (N); W is (K, N) where `transpose`.
class InnerProduct : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("inner_product_param");
    const Shape& x = setup.input(0);
    const int axis = canonical_axis(setup, options.integer("axis"), x);
    setup.require(x.rank() != 4 || axis < 3, "axis 3 of a bottom of rank 4 is not offered");
    n_ = options.integer("num_output");
    setup.require(n_ > 0, "num_output must be positive, got ", n_);
    m_ = x.count(0, axis);
    k_ = x.count(axis, x.rank());
    transposed_ = options.flag("transpose");
    weight_ = setup.parameter("weight", transposed_ ? Shape{k_, n_} : Shape{n_, k_},
                              Filler::from(options, "weight_filler", Filler::constant(0)));
    if (options.flag("bias_term"))
      bias_ =
          setup.parameter("bias", {n_}, Filler::from(options, "bias_filler", Filler::constant(0)));
    if (bias_ >= 0 && setup.backward())
      bias_scratch_ = setup.scratch(Stage::kBackward, reduce_columns_scratch(m_, n_));
    // Weights count inputs in Caffe's order; a bottom stored in another one is copied first.
    row_major_ = LogicalOrder(x).is_row_major();
    if (!row_major_) {
      ordered_ = setup.saved(x.bytes());
      if (setup.backward()) ordered_gradient_ = setup.scratch(Stage::kBackward, x.bytes());
    } else {
      setup.backward_reads_input(0);
    }
    std::vector<int64_t> extents(x.extents().begin(), x.extents().begin() + axis);
    extents.push_back(n_);
    return {Shape(std::move(extents))};
  }

  void forward(Pass& pass) override {
    Device& device = pass.device();
    const Tensor x = ordered(pass), y = pass.output(0);
    if (!row_major_) copy_in_order(device, pass.input(0), x);
    Gemm gemm{false, !transposed_, m_, n_, k_};
    gemm.a = x.floats(), gemm.lda = k_;
    gemm.b = pass.parameter(weight_).floats(), gemm.ldb = transposed_ ? n_ : k_;
    gemm.c = y.floats(), gemm.ldc = n_;
    device.gemm(gemm);
    if (bias_ >= 0)
      parallel_rows(device, m_, n_, AddBias{pass.parameter(bias_).floats(), y.floats(), n_});
  }

  void backward(Pass& pass) override {
    Device& device = pass.device();
    const float* dy = pass.output_gradient(0).floats();
    if (const Tensor dweight = pass.gradient(weight_)) {
      const float* x = ordered(pass).floats();
      Gemm gemm{true, false, transposed_ ? k_ : n_, transposed_ ? n_ : k_, m_};
      gemm.a = transposed_ ? x : dy, gemm.lda = transposed_ ? k_ : n_;
      gemm.b = transposed_ ? dy : x, gemm.ldb = transposed_ ? n_ : k_;
      gemm.c = dweight.floats(), gemm.ldc = transposed_ ? n_ : k_;
      gemm.beta = pass.accumulates(weight_) ? 1.0f : 0.0f;
      device.gemm(gemm);
    }
    if (bias_ >= 0)
      if (const Tensor dbias = pass.gradient(bias_))
        reduce_columns(device, m_, n_, Element{pass.output_gradient(0), n_}, dbias.floats(),
                       pass.accumulates(bias_), pass.floats(bias_scratch_));
    if (const Tensor dx = pass.input_gradient(0)) {
      Gemm gemm{false, transposed_, m_, k_, n_};
      gemm.a = dy, gemm.lda = n_;
      gemm.b = pass.parameter(weight_).floats(), gemm.ldb = transposed_ ? n_ : k_;
      gemm.c = row_major_ ? dx.floats() : pass.floats(ordered_gradient_), gemm.ldc = k_;
      device.gemm(gemm);
      if (!row_major_) copy_in_order(device, {gemm.c, {m_, k_}}, dx);
    }
  }

  int64_t macs() const override { return m_ * n_ * k_; }

 private:
  Tensor ordered(Pass& pass) const {
    return row_major_ ? pass.input(0) : Tensor{pass.floats(ordered_), {m_, k_}};
  }
  int64_t m_ = 0, n_ = 0, k_ = 0;
  bool transposed_ = false, row_major_ = true;
  Handle weight_ = -1, bias_ = -1, bias_scratch_ = -1, ordered_ = -1, ordered_gradient_ = -1;
};

std::optional<LinearShape> linear_shape(const LayerSpec& spec, const Shape& input, const Shape&) {
  const Options options = spec.options.message("inner_product_param");
  const int64_t axis = options.integer("axis");
  if (axis != 1 && axis != 1 - input.rank()) return std::nullopt;
  LinearShape shape;
  shape.outputs = options.integer("num_output");
  shape.inputs = input[1];
  for (int which = 0; which < input.rank() - 2; ++which) shape.axes[which].size = input[2 + which];
  shape.biased = options.flag("bias_term");
  return shape;
}

void read_map(const LayerSpec& spec, const Parameters& parameters, LinearMap& map) {
  map.kernel = read_numbers(parameters, spec, "weight");
  const int64_t inputs = map.inputs_per_group() * map.taps();
  if (spec.options.message("inner_product_param").flag("transpose"))
    map.kernel = channels_last(map.kernel, 1, inputs, map.outputs);
  map.kernel = channels_last(map.kernel, map.outputs, map.inputs_per_group(), map.taps());
  if (map.biased) map.bias = read_numbers(parameters, spec, "bias");
}

void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("inner_product_param");
  const int64_t axis = canonical_axis(options.integer("axis"), layer.input_shapes[0]);
  const bool is_matrix = layer.input_shapes[0].rank() == 2 && axis == 1;
  std::vector<std::string> inputs{
      is_matrix ? layer.inputs[0] : layer.before("Flatten", layer.inputs, {{"axis", axis}}),
      layer.parameter("weight")};
  if (options.flag("bias_term")) inputs.push_back(layer.parameter("bias"));
  const std::vector<OnnxAttribute> attributes{
      {"transB", int64_t{options.flag("transpose") ? 0 : 1}}};
  if (axis == 1)
    layer.last("Gemm", inputs, attributes);
  else
    layer.reshape(layer.before("Gemm", inputs, attributes));
}

OREPA_LAYER(InnerProduct, "y = W x + bias over all axes from `axis` on")
    .linear({LinearRole::Kind::kKernel, linear_shape, read_map})
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
