// What the CPU's plans share around oneDNN. Only src/backend/cpu includes this.
#pragma once
#include <algorithm>
#include <dnnl.hpp>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backend/cpu/instruction_set.h"
#include "backend/pieces.h"
#include "orepa/device.h"
#include "orepa/error.h"

namespace orepa::cpu {

// One engine and one in-order stream; every call has finished when it returns.
class OneDnn {
 public:
  OneDnn(const Device& device, const DeviceOptions& options) : options(options), device_(device) {}
  void run(const dnnl::primitive& primitive,
           const std::unordered_map<int, dnnl::memory>& arguments) {
    device_.count_launch();
    primitive.execute(stream_, arguments);
  }

  const Device& device() const { return device_; }
  void count_launch() const { device_.count_launch(); }

  // One number for each kind of packing and description.
  int layout(const std::string& kind, const dnnl::memory::desc& desc) {
    const std::pair layout(kind, desc);
    const auto known = std::find(layouts_.begin(), layouts_.end(), layout) - layouts_.begin();
    if (known == static_cast<int64_t>(layouts_.size())) layouts_.push_back(layout);
    return static_cast<int>(known);
  }

  const DeviceOptions options;
  const dnnl::engine engine{dnnl::engine::kind::cpu, 0};

 private:
  const Device& device_;
  dnnl::stream stream_{engine};
  std::vector<std::pair<std::string, dnnl::memory::desc>> layouts_;  // of packed kernels
};

std::unique_ptr<ConvolutionPlan> make_convolution(OneDnn& onednn,
                                                  const ConvolutionGeometry& geometry);
// A 1 x 1 kernel with stride and without padding, see strided_pointwise.cpp.
bool is_strided_pointwise(const ConvolutionGeometry& geometry);
std::unique_ptr<ConvolutionPlan> make_strided_pointwise(OneDnn& onednn,
                                                        const ConvolutionGeometry& geometry);
// Where Winograd's filtering is possible, wanted and faster, see winograd.cpp.
bool is_winograd(const ConvolutionGeometry& geometry, Algorithm algorithm);
std::unique_ptr<ConvolutionPlan> make_winograd(OneDnn& onednn, const ConvolutionGeometry& geometry,
                                               InstructionSet set = instruction_set());
std::unique_ptr<BatchNormPlan> make_batch_norm(OneDnn& onednn, const BatchNormGeometry& geometry);
std::unique_ptr<PoolingPlan> make_pooling(OneDnn& onednn, const PoolingGeometry& geometry);

// Scratch comes from the caller, so that the memory plan knows it.
inline dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

inline dnnl::memory::data_type onednn_type(DType type) {
  return type == DType::kFloat32 ? dnnl::memory::data_type::f32 : dnnl::memory::data_type::bf16;
}

// How a tensor of ours lies in memory: rank 4 with axis 1 innermost, other ranks row-major.
inline dnnl::memory::desc stored(const Shape& shape, DType type = DType::kFloat32) {
  using tag = dnnl::memory::format_tag;
  static constexpr tag kTags[] = {tag::a, tag::a, tag::ab, tag::abc, tag::acdb, tag::abcde};
  require(shape.rank() >= 1 && shape.rank() <= 5, "a tensor of rank ", shape.rank(),
          " has no layout on this device");
  return {shape.extents(), onednn_type(type), kTags[shape.rank()]};
}

// oneDNN counts in 32 bits here and there; beyond them it divides by zero or computes something
// else. These throw Error where a tensor has 2^31 numbers or one sample of it 2^31 bytes, and where
// an extent or a product of extents reaches 2^31.
void require_countable(const Shape& shape);
void require_countable(const char* what, int64_t count);
// The windows of a convolution or a pool along both axes of `input`.
void require_countable(const Shape& input, const Pair& window, const Pair& stride, const Pair& pad,
                       const Pair& dilation = {1, 1});

inline int64_t bytes(const dnnl::memory::desc& desc) {
  return static_cast<int64_t>(desc.get_size());
}

inline dnnl::memory view(OneDnn& onednn, const dnnl::memory::desc& desc, const void* data) {
  return {desc, onednn.engine, const_cast<void*>(data)};
}

// Calls make() and says what was asked for where oneDNN refuses.
template <class Make>
auto checked(const std::string& what, Make make) {
  try {
    return make();
  } catch (const dnnl::error& error) {
    fail("oneDNN offers no ", what, " on this processor: ", error.what());
  }
}

}  // namespace orepa::cpu
