// The device's memory: addresses that only work of a stream may touch. What was never written is
// poison (NaN in every type); what lies behind an allocation is watched. Pinned host memory, too.
#pragma once
#include <cstddef>

#include "tests/cudaemu/emulation.h"

namespace cudaemu {

constexpr size_t kDeviceBytes = size_t{4} << 30;
size_t free_device_bytes();

// Null where there is no room.
void* allocate_device(size_t bytes);
bool release_device(void* data);  // false where no allocation begins there
// Whether it's an address of the device, of whatever is there.
bool is_device_address(const void* data);

void* allocate_pinned(size_t bytes);
bool release_pinned(void* data);
bool is_pinned(MemoryRange range);

// While one lives, the thread that made it works for the device, and may touch its memory; other
// threads, such as OpenMP's, what was opened. At its end, memory is closed; a violation where
// somebody wrote beyond an allocation.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};
// REQUIRES: a DeviceAccess of the calling thread.
void open_device(MemoryRange range);

}  // namespace cudaemu
