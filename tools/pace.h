// How long a training will still take.
#pragma once
#include <cstdint>
#include <optional>

namespace orepa::tool {

// Its pace in the last minutes: what is longer ago counts less and less.
class Pace {
 public:
  // So much work (Solver::work) took so many seconds, without tests and snapshots.
  void count(double work, double seconds);
  // So long took the last test.
  void count_test(double seconds) { test_seconds_ = seconds; }
  // What so much work and so many tests will take; nothing where none was counted.
  std::optional<double> seconds_of(double work, int64_t tests) const;

 private:
  double work_ = 0, seconds_ = 0, test_seconds_ = 0;
};

// The tests behind iteration `now`: one every `interval` (0: none), and one at the end.
int64_t tests_to_come(int64_t now, int64_t last, int64_t interval);

// Tells when a training waits too long for its data, but not too often.
class DataWait {
 public:
  // Training has taken so many seconds so far, `waited` of them for data. Returns the share of the
  // time since the last look, where it is worth a warning.
  std::optional<double> look(double seconds, double waited);

 private:
  double seconds_ = 0, waited_ = 0, warned_ = -1;  // at the last look; at the last warning
};

}  // namespace orepa::tool
