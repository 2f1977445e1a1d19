// Progress: what `train` prints while it runs. In a terminal one line is rewritten several times a
// second; elsewhere a plain line comes every few seconds, so that log files stay short.
#pragma once
#include <chrono>
#include <string>

#include "orepa/solver.h"

namespace orepa::tool {

class Progress : public Observer {
 public:
  // `display`: also a line every so many iterations; 0: by time alone.
  explicit Progress(int64_t display);

  // Training begins now: the time from here on counts.
  // Of several test nets, the lines of tests say which one.
  void start(int test_nets);
  void progress(const Observer::Progress& now) override;
  void tested(int64_t iteration, int net, const Evaluation& evaluation) override;
  void snapshotted(const std::string& state_path) override;
  void note(const std::string& what) override;
  Request request() override;

 private:
  using Clock = std::chrono::steady_clock;

  std::string describe(const Observer::Progress& now, Clock::time_point time) const;
  void print(const std::string& line);  // over the live line, which it ends

  int test_nets_ = 1;
  const bool live_;
  const int64_t display_;
  bool live_line_ = false;  // whether the cursor stands behind one
  void count_from_here();   // tests and snapshots are not training

  Clock::time_point start_, last_line_;
  // Images: seen so far, and when the last line was printed.
  int64_t first_iteration_ = -1, images_ = 0, images_at_last_line_ = 0;
};

}  // namespace orepa::tool
