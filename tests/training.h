// What tests of training share: a run that keeps quiet.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "orepa/random.h"
#include "orepa/solver.h"
#include "tests/files.h"
#include "tests/test_device.h"

namespace orepa {

// Keeps what it is told, and asks for what `asks` says once `solver` has issued so many iterations.
class Listener : public Observer {
 public:
  void progress(const Progress& progress) override { reports.push_back(progress); }
  void ended_early(const Progress& progress) override { early_ends.push_back(progress); }
  void tested(int64_t iteration, int net, const Evaluation& evaluation) override {
    tests.emplace_back(iteration, evaluation);
    tested_nets.push_back(net);
  }
  void snapshotted(const std::string& path) override { snapshots.push_back(path); }
  void measured(int64_t iteration, const Measure& measure) override {
    measures.emplace_back(iteration, measure);
  }
  void note(const std::string& message) override { notes += message + "\n"; }
  Request request() override {
    const auto asked = asks.find(solver == nullptr ? 0 : solver->iteration());
    if (asked == asks.end()) return Request::kNone;
    const Request request = asked->second;
    asks.erase(asked);
    return request;
  }

  std::map<int64_t, Request> asks;
  const Solver* solver = nullptr;  // null while it is made
  std::vector<Progress> reports, early_ends;
  std::vector<std::pair<int64_t, Evaluation>> tests;
  std::vector<std::pair<int64_t, Measure>> measures;
  std::vector<int> tested_nets;  // by test
  std::vector<std::string> snapshots;
  std::string notes;
};

// Numbers in [-1, 1), which are a function of the pass, for blob "x", and labels for "label".
inline void feed_noise(Net& net, int64_t pass) {
  const Random random(1, "sample", static_cast<uint64_t>(pass));
  std::vector<float> images;
  for (int64_t i = 0; i < net.shape("x").count(); ++i)
    images.push_back(2 * random.uniform(static_cast<uint64_t>(i)) - 1);
  net.set("x", images);
  net.set("label", {0, 1, 2, 3});
}

inline SolverOptions resuming(const std::string& snapshot) {
  SolverOptions options;
  options.snapshot = snapshot;
  return options;
}

inline SolverOptions graphs_where_there_are() {
  SolverOptions options;
  options.cuda_graph = test_device()->is_cuda();
  return options;
}

// A solver with all that must outlive it.
struct Training {
  Training(SolverSpec given, SolverOptions options = {}, Listener told = {})
      : spec(std::move(given)),
        device(test_device({Algorithm::kDirect})),
        listener(std::move(told)) {
    solver = std::make_unique<Solver>(spec, *device, std::move(options), listener);
    listener.solver = solver.get();
  }
  // Where the text has no snapshot_prefix, that of another test is not this one's: ctest runs them
  // side by side.
  explicit Training(const std::string& text, SolverOptions options = {}, Listener told = {})
      : Training(SolverSpec::parse(text, test_path() + "_solver.prototxt"), std::move(options),
                 std::move(told)) {}
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;
  Solver* operator->() const { return solver.get(); }

  // All parameters, running statistics and what the update rule remembers, one after another.
  std::vector<float> state() const {
    std::vector<float> all;
    for (const auto& parameter : solver->parameters().all()) {
      if (parameter->kind == Parameter::Kind::kDerived) continue;
      const std::vector<float> value = solver->parameters().read(*parameter);
      all.insert(all.end(), value.begin(), value.end());
      for (int block = 0; block < solver->histories(); ++block) {
        const std::vector<float> history = solver->history(*parameter, block);
        all.insert(all.end(), history.begin(), history.end());
      }
    }
    return all;
  }

  SolverSpec spec;
  std::unique_ptr<Device> device;
  Listener listener;
  std::unique_ptr<Solver> solver;
};

}  // namespace orepa
