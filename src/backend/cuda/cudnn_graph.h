// Graphs of cuDNN: operations and the values between them.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/cudnn_descriptor.h"
#include "orepa/device.h"

namespace orepa::cuda {

// Where a graph is to run: on a handle's device, or on one that is only described. Then cuDNN says
// what it would do there, on a machine without a GPU, too; but nothing runs.
struct Target {
  cudnnHandle_t handle = nullptr;
  Descriptor description;  // where there is no handle
};
// Of a device's properties as cuDNN writes them, in JSON.
Target described_device(const std::string& json);

class Graph {
 public:
  // `name` says in errors what is computed: "convolution of ...".
  explicit Graph(std::string name) : name_(std::move(name)) {}

  using Value = Descriptor;
  // In memory, of rank 4, as tensor.h says; a run is given its address under `id`.
  Value tensor(int64_t id, const Shape& shape, DType type);
  // Between two operations, in float32 and in no memory.
  Value intermediate(const Shape& shape);

  // Stride, padding and dilation are the geometry's; sums are in float32.
  void convolution(const ConvolutionGeometry& geometry, const Value& x, const Value& kernel,
                   const Value& y);
  void convolution_backward_data(const ConvolutionGeometry& geometry, const Value& dy,
                                 const Value& kernel, const Value& dx);
  void convolution_backward_kernel(const ConvolutionGeometry& geometry, const Value& x,
                                   const Value& dy, const Value& dkernel);
  void add(const Value& a, const Value& b, const Value& sum);
  void relu(const Value& x, const Value& y);

  const std::string& name() const { return name_; }
  Descriptor finalized(const Target& target) const;

 private:
  using Attributes = std::vector<std::pair<cudnnBackendAttributeName_t, Descriptor>>;

  Value value(int64_t id, const Shape& shape, cudnnDataType_t type, bool in_memory);
  Descriptor window(const ConvolutionGeometry& geometry);
  Descriptor pointwise(cudnnPointwiseMode_t mode);
  // An operation of values and of what it does with them.
  static Descriptor operation(cudnnBackendDescriptorType_t type, const Attributes& attributes);
  void append(Descriptor operation);
  void finish(Descriptor& descriptor, const char* what) const;

  std::string name_;
  std::vector<Descriptor> operations_;
  int64_t intermediates_ = 0;
};

}  // namespace orepa::cuda
