#include "backend/cuda/cudnn_descriptor.h"

#include <array>

namespace orepa::cuda {

std::string describe(cudnnStatus_t status) {
  std::array<char, 2048> details{};
  cudnnGetLastErrorString(details.data(), details.size());
  return text(cudnnGetErrorString(status), details[0] == 0 ? "" : ": ", details.data());
}

Descriptor::Descriptor(cudnnBackendDescriptorType_t type) {
  cudnnBackendDescriptor_t descriptor = nullptr;
  check(cudnnBackendCreateDescriptor(type, &descriptor), "a descriptor of cuDNN");
  descriptor_.reset(descriptor, cudnnBackendDestroyDescriptor);
}

void Descriptor::set(cudnnBackendAttributeName_t name, const Descriptor& value) {
  set(name, std::vector<Descriptor>{value});
}

void Descriptor::set(cudnnBackendAttributeName_t name, const std::vector<Descriptor>& values) {
  std::vector<cudnnBackendDescriptor_t> raw;
  for (const Descriptor& value : values) raw.push_back(value.get());
  set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<int64_t>(raw.size()), raw.data());
}

void Descriptor::set(cudnnBackendAttributeName_t name, AttributeType type, int64_t count,
                     const void* values) {
  check(cudnnBackendSetAttribute(get(), name, type, count, values), "attribute ", name,
        " of a descriptor of cuDNN");
}

cudnnStatus_t Descriptor::finalize() { return cudnnBackendFinalize(get()); }

int64_t Descriptor::get(cudnnBackendAttributeName_t name, AttributeType type, int64_t most,
                        void* values) const {
  int64_t count = 0;
  check(cudnnBackendGetAttribute(get(), name, type, most, &count, values), "attribute ", name,
        " of a descriptor of cuDNN");
  return count;
}

int64_t Descriptor::number(cudnnBackendAttributeName_t name) const {
  return all<int64_t>(name, 1).at(0);
}

Descriptor Descriptor::descriptor(cudnnBackendAttributeName_t name,
                                  cudnnBackendDescriptorType_t type) const {
  const Descriptor value(type);
  cudnnBackendDescriptor_t raw = value.get();
  get(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &raw);
  return value;
}

std::vector<Descriptor> Descriptor::descriptors(cudnnBackendAttributeName_t name,
                                                cudnnBackendDescriptorType_t type) const {
  const int64_t most = get(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, nullptr);
  std::vector<Descriptor> values;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (int64_t i = 0; i < most; ++i) raw.push_back(values.emplace_back(type).get());
  // The second count may be smaller than the first.
  if (most > 0)
    values.resize(static_cast<size_t>(get(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, most, raw.data())));
  return values;
}

}  // namespace orepa::cuda
