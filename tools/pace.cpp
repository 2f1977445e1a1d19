#include "pace.h"

#include <algorithm>
#include <cmath>

namespace orepa::tool {
namespace {

constexpr double kMemory = 120;  // seconds
constexpr double kTooLong = 0.2, kSecondsOfALook = 10, kSecondsBetweenWarnings = 300;

}  // namespace

void Pace::count(double work, double seconds) {
  const double remains = std::exp(-seconds / kMemory);
  work_ = work_ * remains + work;
  seconds_ = seconds_ * remains + seconds;
}

std::optional<double> Pace::seconds_of(double work, int64_t tests) const {
  if (work_ == 0) return {};
  return work * seconds_ / work_ + static_cast<double>(tests) * test_seconds_;
}

int64_t tests_to_come(int64_t now, int64_t last, int64_t interval) {
  if (interval == 0 || now >= last) return 0;
  return last / interval - now / interval + (last % interval != 0 ? 1 : 0);
}

std::optional<double> DataWait::look(double seconds, double waited) {
  if (seconds - seconds_ < kSecondsOfALook) return {};
  const double share = (waited - waited_) / (seconds - seconds_);
  seconds_ = seconds;
  waited_ = waited;
  if (share <= kTooLong || (warned_ >= 0 && seconds - warned_ < kSecondsBetweenWarnings)) return {};
  warned_ = seconds;
  return std::min(share, 1.0);
}

}  // namespace orepa::tool
