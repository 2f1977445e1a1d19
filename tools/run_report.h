// RunReport: what a training writes into its folder beside its curves: network.json,
// last_test.json, branches.jsonl, report.html and, if asked to, TensorBoard's event files.
//
// None of them ends a training: what cannot be written is said once, and tried again. Branches and
// pages may take 1 % of the time each.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "console.h"
#include "io/events/event_file.h"
#include "line_file.h"
#include "orepa/solver.h"
#include "report/last_test.h"

namespace orepa::tool {

class RunReport {
 public:
  // `ranks`: who have parts of every test, null where nobody has. Only the first of them writes:
  // the others call what stands before begin().
  RunReport(Console& console, std::string folder, bool tensorboard, Communicator* ranks)
      : console_(console), folder_(std::move(folder)), tensorboard_(tensorboard), ranks_(ranks) {}

  // Before anything is observed: last_test.json is of the first test net with an Accuracy layer.
  void choose_test(const SolverSpec& spec, const NetOptions& options, const Solver& solver);
  // For SolverOptions::observe.
  void observe(int test, Net& net, const TestBlobs& blobs, int64_t first_sample);
  // After a test, by all ranks: tested() does it for the first one.
  void gather(int net);

  // Files may be written from here on. The solver must outlive it.
  void begin(const SolverSpec& spec, Solver& solver);
  // Points of curves, by name.
  using Scalars = std::vector<std::pair<std::string, double>>;
  void trained(int64_t iteration, const Scalars& scalars);
  // After the test's line was written.
  void tested(int64_t iteration, int net, const Scalars& scalars);
  // Writes the page where the last one is a minute old. Returns whether it did.
  bool refresh();
  // The training has ended: writes the last page and, where its test left them out, the branches.
  void end();

 private:
  using Clock = std::chrono::steady_clock;
  // Something that takes time of the training.
  struct Work {
    double seconds = 0;      // so far
    Clock::time_point last;  // when it was done
  };
  bool affordable(const Work& work) const;
  void do_work(Work& work, const std::string& what, const std::function<void()>& call);
  // Calls; what it throws is said, unless the same failed the last time, too.
  void attempt(const std::string& what, const std::function<void()>& write);
  void write_scalars(const std::string& group, int64_t iteration, const Scalars& scalars);
  void write_last_test(int64_t iteration);
  void write_branches(int64_t iteration);
  void add_branches(int64_t iteration);
  void write_page();
  std::string file(const std::string& name) const { return folder_ + "/" + name; }

  Console& console_;
  const std::string folder_;
  const bool tensorboard_;
  Communicator* ranks_;
  Solver* solver_ = nullptr;  // this and net_ are there from begin() on
  std::optional<NetSpec> net_;
  bool has_branches_ = false;
  int64_t without_branches_ = -1;  // the iteration of the last test, where it left them out
  int observed_ = -1;              // the test net of last_test_; -1: none
  LastTest last_test_;
  std::vector<std::string> classes_;  // of its source; empty where it knows none
  LineFile branches_;
  bool branches_open_ = false;
  std::unique_ptr<EventFile> events_;
  std::set<std::string> failing_;
  Clock::time_point start_;
  Work branch_work_, page_work_;
};

}  // namespace orepa::tool
