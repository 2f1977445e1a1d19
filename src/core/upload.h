// Upload: numbers of the host on their way to the device, time and again, without a wait for those
// that went before: where the device still reads one buffer, the host fills another.
#pragma once
#include <memory>

#include "orepa/device.h"

namespace orepa {

class Upload {
 public:
  Upload(Device& device, int64_t bytes);

  // Where the host writes what send() takes. Waits only where two buffers are on their way.
  void* fill();
  float* fill_floats() { return static_cast<float*>(fill()); }
  // Copies what was filled last, all of it; as often as it is wanted.
  void send(void* to);

 private:
  struct Buffer {
    HostMemory memory;
    std::unique_ptr<Event> sent;
  };
  Device& device_;
  int64_t bytes_;
  Buffer buffers_[2];  // the second comes when it is needed
  int filled_ = 0;
};

}  // namespace orepa
