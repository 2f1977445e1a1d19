#include "backend/cuda/cudnn_graph.h"

#include "orepa/error.h"

namespace orepa::cuda {
namespace {

constexpr int64_t kFirstIntermediate = 1 << 16;  // ids of tensors in memory are smaller
constexpr int64_t kVectorBytes = 16;             // of the widest load of a thread

cudnnDataType_t cudnn_type(DType type) {
  return type == DType::kFloat32 ? CUDNN_DATA_FLOAT : CUDNN_DATA_BFLOAT16;
}

// Numbers between neighbours along each axis: axis 1 is innermost.
std::vector<int64_t> strides(const Shape& shape) {
  return {shape[1] * shape[2] * shape[3], 1, shape[1] * shape[3], shape[1]};
}

}  // namespace

Target described_device(const std::string& json) {
  Target target;
  target.description = Descriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  target.description.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                         std::vector<char>(json.begin(), json.end()));
  check(target.description.finalize(), "the description of a device");
  return target;
}

Graph::Value Graph::tensor(int64_t id, const Shape& shape, DType type) {
  return value(id, shape, cudnn_type(type), true);
}

Graph::Value Graph::intermediate(const Shape& shape) {
  return value(kFirstIntermediate + intermediates_++, shape, CUDNN_DATA_FLOAT, false);
}

void Graph::convolution(const ConvolutionGeometry& geometry, const Value& x, const Value& kernel,
                        const Value& y) {
  Descriptor forward =
      operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                {{CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, window(geometry)},
                 {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x},
                 {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, kernel},
                 {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y}});
  forward.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, 1.0f);
  forward.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, 0.0f);
  append(forward);
}

void Graph::convolution_backward_data(const ConvolutionGeometry& geometry, const Value& dy,
                                      const Value& kernel, const Value& dx) {
  Descriptor backward =
      operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                {{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, window(geometry)},
                 {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, dy},
                 {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, kernel},
                 {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, dx}});
  backward.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, 1.0f);
  backward.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, 0.0f);
  append(backward);
}

void Graph::convolution_backward_kernel(const ConvolutionGeometry& geometry, const Value& x,
                                        const Value& dy, const Value& dkernel) {
  Descriptor backward =
      operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                {{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, window(geometry)},
                 {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, x},
                 {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, dy},
                 {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, dkernel}});
  backward.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, 1.0f);
  backward.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, 0.0f);
  append(backward);
}

void Graph::add(const Value& a, const Value& b, const Value& sum) {
  append(operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
                   {{CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, pointwise(CUDNN_POINTWISE_ADD)},
                    {CUDNN_ATTR_OPERATION_POINTWISE_XDESC, a},
                    {CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b},
                    {CUDNN_ATTR_OPERATION_POINTWISE_YDESC, sum}}));
}

void Graph::relu(const Value& x, const Value& y) {
  append(operation(
      CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
      {{CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, pointwise(CUDNN_POINTWISE_RELU_FWD)},
       {CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x},
       {CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y}}));
}

Descriptor Graph::finalized(const Target& target) const {
  Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations_);
  if (target.handle) graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, target.handle);
  finish(graph, "the graph");
  return graph;
}

Graph::Value Graph::value(int64_t id, const Shape& shape, cudnnDataType_t type, bool in_memory) {
  Descriptor tensor(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  tensor.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id);
  tensor.set(CUDNN_ATTR_TENSOR_DATA_TYPE, type);
  tensor.set(CUDNN_ATTR_TENSOR_DIMENSIONS, shape.extents());
  tensor.set(CUDNN_ATTR_TENSOR_STRIDES, strides(shape));
  tensor.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, kVectorBytes);
  tensor.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, !in_memory);
  finish(tensor, "a tensor");
  return tensor;
}

Descriptor Graph::window(const ConvolutionGeometry& geometry) {
  const auto both = [](const Pair& pair) { return std::vector<int64_t>(pair.begin(), pair.end()); };
  Descriptor window(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  window.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  window.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
  window.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2});
  window.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, both(geometry.pad));
  window.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, both(geometry.pad));
  window.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, both(geometry.stride));
  window.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, both(geometry.dilation));
  finish(window, "the windows");
  return window;
}

Descriptor Graph::pointwise(cudnnPointwiseMode_t mode) {
  Descriptor pointwise(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  pointwise.set(CUDNN_ATTR_POINTWISE_MODE, mode);
  pointwise.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
  finish(pointwise, "a pointwise operation");
  return pointwise;
}

Descriptor Graph::operation(cudnnBackendDescriptorType_t type, const Attributes& attributes) {
  Descriptor operation(type);
  for (const auto& [name, value] : attributes) operation.set(name, value);
  return operation;
}

void Graph::append(Descriptor operation) {
  finish(operation, "an operation");
  operations_.push_back(operation);
}

void Graph::finish(Descriptor& descriptor, const char* what) const {
  check(descriptor.finalize(), name_, ": ", what);
}

}  // namespace orepa::cuda
