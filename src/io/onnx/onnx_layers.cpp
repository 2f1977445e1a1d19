#include "io/onnx/onnx_layers.h"

#include <algorithm>
#include <map>

#include "layers/window.h"
#include "orepa/error.h"

namespace orepa {
namespace {

using Ints = std::vector<int64_t>;

Ints ints(const Pair& pair) { return {pair[0], pair[1]}; }

int64_t from_front(int64_t axis, const Shape& shape) {
  return axis < 0 ? axis + shape.rank() : axis;
}

void convolution(const OnnxLayer& layer) {
  const Options options = layer.spec.options.message("convolution_param");
  const Pair pad = read_pair(layer.spec, options, "pad", "pad", 0);
  std::vector<std::string> inputs{layer.inputs[0], layer.parameter("weight")};
  if (options.flag("bias_term")) inputs.push_back(layer.parameter("bias"));
  layer.last("Conv", inputs,
             {{"kernel_shape", ints(read_pair(layer.spec, options, "kernel_size", "kernel", 0))},
              {"strides", ints(read_pair(layer.spec, options, "stride", "stride", 1))},
              {"pads", Ints{pad[0], pad[1], pad[0], pad[1]}},
              {"dilations", ints(read_pair(layer.spec, options, "dilation", "", 1))},
              {"group", options.integer("group")}});
}

// The windows of a pool along one axis. ONNX pads at the end just as far as the last one reaches:
// so it makes as many as Caffe, which rounds up or down.
struct Windows {
  int64_t in, out, kernel, stride, pad;
  int64_t end_pad() const { return std::max<int64_t>(0, (out - 1) * stride + kernel - in - pad); }
  // Pixels of a window, and those that Caffe's mean counts: `pad` of padding at either end too.
  int64_t pixels(int64_t o) const { return inside(o, 0, in); }
  int64_t counted(int64_t o) const { return inside(o, -pad, in + pad); }
  int64_t inside(int64_t o, int64_t begin, int64_t end) const {
    const int64_t first = o * stride - pad;
    return std::min(first + kernel, end) - std::max(first, begin);
  }
};

// A mean of pixels alone times this is Caffe's. Not every reader knows ONNX's means that count
// padding (OpenCV 4.6 takes no notice), and they would count all of it.
std::vector<float> mean_factors(const Windows& rows, const Windows& columns) {
  std::vector<float> factors;
  for (int64_t h = 0; h < rows.out; ++h)
    for (int64_t w = 0; w < columns.out; ++w)
      factors.push_back(static_cast<float>(rows.pixels(h) * columns.pixels(w)) /
                        static_cast<float>(rows.counted(h) * columns.counted(w)));
  return factors;
}

void pooling(const OnnxLayer& layer) {
  const Options options = layer.spec.options.message("pooling_param");
  const bool max = options.choice("pool") == "MAX";
  if (options.flag("global_pooling"))
    return layer.last(max ? "GlobalMaxPool" : "GlobalAveragePool", layer.inputs);
  const Pair kernel = read_pair(layer.spec, options, "kernel_size", "kernel", 0);
  const Pair stride = read_pair(layer.spec, options, "stride", "stride", 1);
  const Pair pad = read_pair(layer.spec, options, "pad", "pad", 0);
  const Shape &x = layer.input_shapes[0], &y = layer.output_shape;
  const Windows rows{x[2], y[2], kernel[0], stride[0], pad[0]};
  const Windows columns{x[3], y[3], kernel[1], stride[1], pad[1]};
  const std::vector<OnnxModel::Attribute> attributes{
      {"kernel_shape", ints(kernel)},
      {"strides", ints(stride)},
      {"pads", Ints{pad[0], pad[1], rows.end_pad(), columns.end_pad()}}};
  if (max) return layer.last("MaxPool", layer.inputs, attributes);

  const std::vector<float> factors = mean_factors(rows, columns);
  if (std::all_of(factors.begin(), factors.end(), [](float factor) { return factor == 1; }))
    return layer.last("AveragePool", layer.inputs, attributes);
  std::vector<float> all;  // of every channel: OpenCV 4.6 spreads numbers over the batch alone
  for (int64_t c = 0; c < y[1]; ++c) all.insert(all.end(), factors.begin(), factors.end());
  layer.last("Mul", {layer.before("AveragePool", layer.inputs, attributes),
                     layer.constant("counted", {y[1], y[2], y[3]}, all)});
}

void inner_product(const OnnxLayer& layer) {
  const Options options = layer.spec.options.message("inner_product_param");
  const int64_t axis = from_front(options.integer("axis"), layer.input_shapes[0]);
  const bool is_matrix = layer.input_shapes[0].rank() == 2 && axis == 1;
  std::vector<std::string> inputs{
      is_matrix ? layer.inputs[0] : layer.before("Flatten", layer.inputs, {{"axis", axis}}),
      layer.parameter("weight")};
  if (options.flag("bias_term")) inputs.push_back(layer.parameter("bias"));
  const std::vector<OnnxModel::Attribute> attributes{
      {"transB", int64_t{options.flag("transpose") ? 0 : 1}}};
  if (axis == 1)
    layer.last("Gemm", inputs, attributes);
  else
    layer.reshape(layer.before("Gemm", inputs, attributes));
}

void relu(const OnnxLayer& layer) {
  const auto slope =
      static_cast<float>(layer.spec.options.message("relu_param").number("negative_slope"));
  if (slope == 0)
    layer.last("Relu", layer.inputs);
  else
    layer.last("LeakyRelu", layer.inputs, {{"alpha", slope}});
}

void dropout(const OnnxLayer& layer) { layer.last("Identity", layer.inputs); }
void sigmoid(const OnnxLayer& layer) { layer.last("Sigmoid", layer.inputs); }
void tanh(const OnnxLayer& layer) { layer.last("Tanh", layer.inputs); }

void softmax(const OnnxLayer& layer) {
  const int64_t axis = layer.spec.options.message("softmax_param").integer("axis");
  layer.last("Softmax", layer.inputs, {{"axis", from_front(axis, layer.output_shape)}});
}

// Two by two, in the order of the bottoms: every reader takes nodes of two inputs.
void eltwise(const OnnxLayer& layer) {
  const Options options = layer.spec.options.message("eltwise_param");
  const std::map<std::string, std::string> types{{"SUM", "Add"}, {"PROD", "Mul"}, {"MAX", "Max"}};
  const std::string& type = types.at(options.choice("operation"));
  std::vector<std::string> terms = layer.inputs;
  const std::vector<double> coefficients = options.numbers("coeff");
  for (size_t i = 0; i < coefficients.size(); ++i)
    if (coefficients[i] != 1)
      terms[i] = layer.before(
          "Mul", {terms[i], layer.constant("coeff", {1}, {static_cast<float>(coefficients[i])})});
  for (size_t i = 1; i + 1 < terms.size(); ++i)
    terms[i] = layer.before(type, {terms[i - 1], terms[i]});
  layer.last(type, {terms[terms.size() - 2], terms.back()});
}

void concat(const OnnxLayer& layer) {
  const Options options = layer.spec.options.message("concat_param");
  const int64_t axis = options.integer(options.has("concat_dim") ? "concat_dim" : "axis");
  layer.last("Concat", layer.inputs, {{"axis", from_front(axis, layer.output_shape)}});
}

void flatten(const OnnxLayer& layer) { layer.reshape(layer.inputs[0]); }

void batch_norm(const OnnxLayer& layer) {
  const Options options = layer.spec.options.message("batch_norm_param");
  require(!options.has("use_global_stats") || options.flag("use_global_stats"),
          layer.spec.where("batch_norm_param"),
          "normalises by the batch's own statistics, which no inference runtime does; leave "
          "use_global_stats out");
  const Shape channels{layer.input_shapes[0][1]};
  const auto all = [&](float value) { return std::vector<float>(channels.count(), value); };
  layer.last("BatchNormalization",
             {layer.inputs[0], layer.constant("scale", channels, all(1)),
              layer.constant("bias", channels, all(0)), layer.parameter("mean"),
              layer.parameter("variance")},
             {{"epsilon", static_cast<float>(options.number("eps"))}});
}

void scale(const OnnxLayer& layer) {
  const Options options = layer.spec.options.message("scale_param");
  const Shape& x = layer.input_shapes[0];
  const bool learned = layer.inputs.size() == 1;
  const int64_t axis = from_front(options.integer("axis"), x);
  const int64_t axes =
      learned ? options.integer("num_axes") : static_cast<int64_t>(layer.input_shapes[1].rank());
  // What the numbers are spread over, aligned with the last axes of x: 1 behind the scaled ones.
  std::vector<int64_t> extents(x.extents().begin() + axis, x.extents().end());
  if (axes >= 0) std::fill(extents.begin() + axes, extents.end(), 1);
  const Shape spread(extents);
  std::string factor;
  if (learned)
    factor = layer.parameter("scale", spread);
  else if (layer.input_shapes[1] == spread)
    factor = layer.inputs[1];
  else
    factor = layer.before("Reshape", {layer.inputs[1], layer.shape_constant(spread)});
  if (options.flag("bias_term"))
    layer.last("Add",
               {layer.before("Mul", {layer.inputs[0], factor}), layer.parameter("bias", spread)});
  else
    layer.last("Mul", {layer.inputs[0], factor});
}

const std::map<std::string, void (*)(const OnnxLayer&)> kLayers{
    {"BatchNorm", batch_norm},
    {"Concat", concat},
    {"Convolution", convolution},
    {"Dropout", dropout},
    {"Eltwise", eltwise},
    {"Flatten", flatten},
    {"InnerProduct", inner_product},
    {"Pooling", pooling},
    {"ReLU", relu},
    {"Scale", scale},
    {"Sigmoid", sigmoid},
    {"Softmax", softmax},
    {"TanH", tanh},
};

}  // namespace

std::string OnnxLayer::parameter(const std::string& name) const {
  return parameter(name, found(name).value.shape);
}

std::string OnnxLayer::parameter(const std::string& name, const Shape& shape) const {
  return constant(name, shape, parameters_.read(found(name)));
}

const Parameter& OnnxLayer::found(const std::string& name) const {
  const Parameter* parameter = parameters_.find(spec.name, name);
  require(parameter != nullptr, spec.where(), "has no parameter \"", name, "\"");
  return *parameter;
}

std::string OnnxLayer::constant(const std::string& name, const Shape& shape,
                                const std::vector<float>& values) const {
  return model_.add_constant(spec.name + "/" + name, shape, values);
}

std::string OnnxLayer::shape_constant(const Shape& shape) const {
  return model_.add_constant(spec.name + "/shape", shape.extents());
}

std::string OnnxLayer::before(const std::string& type, const std::vector<std::string>& inputs,
                              const std::vector<OnnxModel::Attribute>& attributes) const {
  const std::string made = model_.new_name(spec.name + "/" + type);
  model_.add_node(made, type, inputs, made, attributes);
  return made;
}

void OnnxLayer::last(const std::string& type, const std::vector<std::string>& inputs,
                     const std::vector<OnnxModel::Attribute>& attributes) const {
  model_.add_node(spec.name, type, inputs, output, attributes);
}

void OnnxLayer::reshape(const std::string& tensor) const {
  last("Reshape", {tensor, shape_constant(output_shape)});
}

void add_to_onnx(const OnnxLayer& layer) {
  const auto found = kLayers.find(layer.spec.type);
  if (found == kLayers.end()) {
    std::string known;
    for (const auto& [type, add] : kLayers) known += (known.empty() ? "" : ", ") + type;
    fail(layer.spec.where("type"), "cannot be written as ONNX, where a net for use is made of ",
         known, "; leave the layer out of phase TEST (include { phase: TRAIN })");
  }
  found->second(layer);
}

}  // namespace orepa
