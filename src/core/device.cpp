#include "orepa/device.h"

#include <algorithm>
#include <utility>

#include "orepa/numbers.h"

namespace orepa {

Shape ConvolutionGeometry::output() const {
  const auto extent = [&](int axis) {
    const int64_t reach = dilation[axis] * (kernel[2 + axis] - 1) + 1;
    const int64_t room = input[2 + axis] + 2 * pad[axis] - reach;
    return room < 0 ? 0 : room / stride[axis] + 1;
  };
  return {input[0], kernel[0], extent(0), extent(1)};
}

std::vector<float> read_tensor(Device& device, const Tensor& tensor) {
  std::vector<float> stored(static_cast<size_t>(tensor.count())), ordered(stored.size());
  if (tensor.type == DType::kFloat32) {
    device.copy_to_host(stored.data(), tensor.data, tensor.bytes());
  } else {
    std::vector<BFloat16> narrow(stored.size());
    device.copy_to_host(narrow.data(), tensor.data, tensor.bytes());
    std::transform(narrow.begin(), narrow.end(), stored.begin(),
                   [](BFloat16 number) { return number.value(); });
  }
  to_caffe_order(tensor.shape, stored.data(), ordered.data());
  return ordered;
}

void write_tensor(Device& device, const Tensor& tensor, const std::vector<float>& values) {
  std::vector<float> stored(values.size());
  from_caffe_order(tensor.shape, values.data(), stored.data());
  device.copy_to_device(tensor.floats(), stored.data(), tensor.bytes());
  device.synchronize();
}

OwnedMemory::OwnedMemory(Device& device, void* data, int64_t bytes, Release release)
    : device_(&device), data_(data), bytes_(bytes), release_(release) {}

OwnedMemory& OwnedMemory::operator=(OwnedMemory&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(release_, other.release_);
  return *this;
}

OwnedMemory::~OwnedMemory() {
  if (data_ != nullptr) (device_->*release_)(data_);
}

DeviceMemory::DeviceMemory(Device& device, int64_t bytes)
    : OwnedMemory(device, bytes > 0 ? device.allocate(bytes) : nullptr, bytes, &Device::release) {}

HostMemory::HostMemory(Device& device, int64_t bytes)
    : OwnedMemory(device, bytes > 0 ? device.allocate_host(bytes) : nullptr, bytes,
                  &Device::release_host) {}

}  // namespace orepa
