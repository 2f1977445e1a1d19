#include "core/upload.h"

namespace orepa {

Upload::Upload(Device& device, int64_t bytes) : device_(device), bytes_(bytes) {
  for (Buffer& buffer : buffers_) buffer.sent = device.event();
}

void* Upload::fill() {
  if (!buffers_[filled_].sent->done()) filled_ = 1 - filled_;
  Buffer& buffer = buffers_[filled_];
  if (!buffer.sent->done()) buffer.sent->wait();
  if (buffer.memory.data() == nullptr) buffer.memory = HostMemory(device_, bytes_);
  return buffer.memory.data();
}

void Upload::send(void* to) {
  Buffer& buffer = buffers_[filled_];
  device_.copy_to_device(to, buffer.memory.data(), bytes_);
  buffer.sent->record();
}

}  // namespace orepa
