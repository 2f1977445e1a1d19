// One of cuDNN's backend descriptors, of which its graph API is made.
#pragma once
#include <cudnn.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "orepa/error.h"

namespace orepa::cuda {

// A status, and cuDNN's last error, in its words.
std::string describe(cudnnStatus_t status);
// Throws Error with `what` and that where `status` is not success. (The words are put together only
// then: some calls are made in every pass.)
template <class... What>
void check(cudnnStatus_t status, const What&... what) {
  if (status != CUDNN_STATUS_SUCCESS) fail(what..., ": cuDNN says ", describe(status));
}

// The type of attributes with such values. Of pointers, since they convert to nothing else.
using AttributeType = cudnnBackendAttributeType_t;
constexpr AttributeType type_of(const int64_t*) { return CUDNN_TYPE_INT64; }
constexpr AttributeType type_of(const float*) { return CUDNN_TYPE_FLOAT; }
constexpr AttributeType type_of(const bool*) { return CUDNN_TYPE_BOOLEAN; }
constexpr AttributeType type_of(const char*) { return CUDNN_TYPE_CHAR; }
constexpr AttributeType type_of(void* const*) { return CUDNN_TYPE_VOID_PTR; }
constexpr AttributeType type_of(const cudnnHandle_t*) { return CUDNN_TYPE_HANDLE; }
constexpr AttributeType type_of(const cudnnDataType_t*) { return CUDNN_TYPE_DATA_TYPE; }
constexpr AttributeType type_of(const cudnnBackendHeurMode_t*) { return CUDNN_TYPE_HEUR_MODE; }
constexpr AttributeType type_of(const cudnnPointwiseMode_t*) { return CUDNN_TYPE_POINTWISE_MODE; }
constexpr AttributeType type_of(const cudnnConvolutionMode_t*) {
  return CUDNN_TYPE_CONVOLUTION_MODE;
}
constexpr AttributeType type_of(const cudnnBackendNumericalNote_t*) {
  return CUDNN_TYPE_NUMERICAL_NOTE;
}

// Its attributes may be set until it is finalised; from then on, some can be read. Copies are the
// same descriptor. Functions throw Error where cuDNN refuses.
class Descriptor {
 public:
  Descriptor() = default;  // none
  explicit Descriptor(cudnnBackendDescriptorType_t type);

  cudnnBackendDescriptor_t get() const { return descriptor_.get(); }
  explicit operator bool() const { return descriptor_ != nullptr; }

  template <class T>
  void set(cudnnBackendAttributeName_t name, T value) {
    set(name, type_of(&value), 1, &value);
  }
  template <class T>
  void set(cudnnBackendAttributeName_t name, std::span<const T> values) {
    set(name, type_of(values.data()), static_cast<int64_t>(values.size()), values.data());
  }
  template <class T>
  void set(cudnnBackendAttributeName_t name, const std::vector<T>& values) {
    set(name, std::span<const T>(values));
  }
  void set(cudnnBackendAttributeName_t name, const Descriptor& value);
  void set(cudnnBackendAttributeName_t name, const std::vector<Descriptor>& values);
  cudnnStatus_t finalize();

  // All values of an attribute that has at most so many.
  template <class T>
  std::vector<T> all(cudnnBackendAttributeName_t name, int64_t most) const {
    std::vector<T> values(static_cast<size_t>(most));
    values.resize(static_cast<size_t>(get(name, type_of(values.data()), most, values.data())));
    return values;
  }
  int64_t number(cudnnBackendAttributeName_t name) const;
  Descriptor descriptor(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type) const;
  std::vector<Descriptor> descriptors(cudnnBackendAttributeName_t name,
                                      cudnnBackendDescriptorType_t type) const;

 private:
  void set(cudnnBackendAttributeName_t name, AttributeType type, int64_t count, const void* values);
  // Returns how many there are.
  int64_t get(cudnnBackendAttributeName_t name, AttributeType type, int64_t most,
              void* values) const;

  std::shared_ptr<void> descriptor_;
};

}  // namespace orepa::cuda
