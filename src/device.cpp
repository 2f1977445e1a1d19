#include "orepa/device.h"

#include <utility>

namespace orepa {

Shape ConvolutionGeometry::output() const {
  const auto extent = [&](int axis) {
    const int64_t reach = dilation[axis] * (kernel[2 + axis] - 1) + 1;
    const int64_t room = input[2 + axis] + 2 * pad[axis] - reach;
    return room < 0 ? 0 : room / stride[axis] + 1;
  };
  return {input[0], kernel[0], extent(0), extent(1)};
}

DeviceMemory::DeviceMemory(Device& device, int64_t bytes)
    : device_(&device), data_(bytes > 0 ? device.allocate(bytes) : nullptr), bytes_(bytes) {}

DeviceMemory& DeviceMemory::operator=(DeviceMemory&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

DeviceMemory::~DeviceMemory() {
  if (data_ != nullptr) device_->release(data_);
}

}  // namespace orepa
