// A copy of all running statistics, which forward passes change: to go back where the passes of an
// iteration are abandoned.
#pragma once
#include "orepa/params.h"

namespace orepa {

class StatisticsCopy {
 public:
  // `parameters` must have their memory, and outlive this.
  explicit StatisticsCopy(const Parameters& parameters);

  void save();
  void restore();
  int64_t bytes() const { return memory_.bytes(); }

 private:
  const Parameters& parameters_;
  DeviceMemory memory_;
};

}  // namespace orepa
