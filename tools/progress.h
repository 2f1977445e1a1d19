// Progress: what `train` shows and writes down while it runs. In a terminal one line is rewritten
// several times a second; elsewhere a plain line comes every few seconds, so that log files stay
// short.
#pragma once
#include <chrono>
#include <functional>
#include <string>

#include "console.h"
#include "orepa/solver.h"
#include "pace.h"
#include "run_folder.h"
#include "run_report.h"

namespace orepa::tool {

class Progress : public Observer {
 public:
  // `display`: also a line every so many iterations; 0: by time alone. All must outlive it.
  Progress(Console& console, RunFolder& folder, RunReport& report, int64_t display)
      : console_(console), folder_(folder), report_(report), display_(display) {}

  // What it says of the training, which begins now: the time from here on counts. `begin` is called
  // as soon as files may be written.
  void start(const Solver& solver, std::function<void()> begin);
  void started() override;
  void progress(const Observer::Progress& now) override;
  void tested(int64_t iteration, int net, const Evaluation& evaluation) override;
  void ended_early(const Observer::Progress& now) override;
  void measured(int64_t iteration, const Measure& measure) override;
  void snapshotted(const std::string& state_path) override;
  void note(const std::string& what) override;
  Request request() override;

 private:
  using Clock = std::chrono::steady_clock;
  // Of training alone, without tests and snapshots, since this start.
  struct Totals {
    double seconds = 0, waited = 0;
    int64_t images = 0;
  };
  // Since some earlier moment.
  struct Interval {
    Totals from;
    Clock::time_point start;
    double images_per_second(const Totals& now) const;
    double data_wait(const Totals& now) const;  // a share
  };

  std::string describe(const Observer::Progress& now) const;
  void record(const Observer::Progress& now);
  void write(LineFile& file, const std::string& line);
  void not_training();  // from the last event to here
  double since_last_event() const;

  Console& console_;
  RunFolder& folder_;
  RunReport& report_;
  const int64_t display_;
  std::function<void()> begin_;
  const Solver* solver_ = nullptr;
  int test_nets_ = 1;
  int64_t test_interval_ = 0, iterations_per_epoch_ = 0, planned_bytes_ = 0, iteration_ = 0;
  bool tests_first_ = false;
  int64_t recorded_iteration_ = -1;  // of the last line of training
  double seconds_before_ = 0;        // of earlier starts
  Clock::time_point start_, last_event_;
  Totals totals_;
  Interval shown_, recorded_;
  Pace pace_;
  DataWait data_wait_;
  double test_seconds_ = 0;
  std::string last_test_;  // what the live line says of it
};

}  // namespace orepa::tool
