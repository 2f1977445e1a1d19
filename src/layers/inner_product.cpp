#include "layers/arithmetic.h"
#include "layers/dense.h"
#include "layers/linear.h"
#include "layers/row_major_input.h"
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
    const int64_t outputs = options.integer("num_output"), inputs = x.count(axis, x.rank());
    setup.require(outputs > 0, "num_output must be positive, got ", outputs);
    map_ = {x.count(0, axis), outputs, inputs, options.flag("transpose")};
    weight_ =
        setup.parameter("weight", map_.transposed ? Shape{inputs, outputs} : Shape{outputs, inputs},
                        Filler::from(options, "weight_filler", Filler::constant(0)));
    if (options.flag("bias_term"))
      bias_ = setup.parameter("bias", {outputs},
                              Filler::from(options, "bias_filler", Filler::constant(0)));
    if (bias_ >= 0 && setup.backward())
      bias_scratch_ = setup.scratch(Stage::kBackward, reduce_columns_scratch(map_.m, outputs));
    x_.setup(setup, 0);
    std::vector<int64_t> extents(x.extents().begin(), x.extents().begin() + axis);
    extents.push_back(outputs);
    return {Shape(std::move(extents))};
  }

  void forward(Pass& pass) override {
    Device& device = pass.device();
    const Tensor y = pass.output(0);
    x_.load(pass);
    map_.forward(device, x_.value(pass), pass.parameter(weight_).floats(), y.floats());
    if (bias_ >= 0)
      parallel_rows(device, map_.m, map_.n,
                    AddBias{pass.parameter(bias_).floats(), y.floats(), map_.n});
  }

  void backward(Pass& pass) override {
    Device& device = pass.device();
    const Tensor dy = pass.output_gradient(0);
    if (const Tensor dweight = pass.gradient(weight_))
      map_.weight_gradient(device, dy.floats(), x_.value(pass), dweight.floats(),
                           pass.accumulates(weight_));
    if (bias_ >= 0)
      if (const Tensor dbias = pass.gradient(bias_))
        reduce_columns(device, map_.m, map_.n, Element{dy, map_.n}, dbias.floats(),
                       pass.accumulates(bias_), pass.floats(bias_scratch_));
    if (pass.input_gradient(0)) {
      map_.input_gradient(device, dy.floats(), pass.parameter(weight_).floats(), x_.gradient(pass));
      x_.store_gradient(pass);
    }
  }

  int64_t macs() const override { return map_.macs(); }

 private:
  Dense map_;
  RowMajorInput x_;
  Handle weight_ = -1, bias_ = -1, bias_scratch_ = -1;
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
