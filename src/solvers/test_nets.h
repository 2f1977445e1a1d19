// The test nets of a solver, in the order of SolverSpec::test_nets().
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "orepa/evaluate.h"
#include "orepa/solver.h"
#include "solvers/settings.h"

namespace orepa {

class TestNets {
 public:
  // Both must outlive it. There are no nets yet.
  TestNets(const SolverSettings& settings, const SolverOptions& options)
      : settings_(settings), options_(options) {}
  // Builds it over these parameters, in `arena`.
  void add(const NetSpec& spec, Parameters& parameters, Arena& arena, NetOptions net_options);

  int count() const { return static_cast<int>(nets_.size()); }
  const NetSpec& spec(int net) const { return nets_[net].spec; }
  int64_t batches(int net) const;    // of a whole test: test_iter or the whole set
  int64_t persistent_bytes() const;  // of device memory, outside the arena
  // Of the whole test, or of so many batches. `stop` is asked between them.
  Evaluation run(int net, int64_t batches, const std::function<bool()>& stop);
  std::vector<std::string> take_notes(int net) { return nets_[net].evaluator->take_notes(); }

 private:
  struct TestNet {
    NetSpec spec;
    std::optional<TestBlobs> observed;  // what SolverOptions::observe reads
    std::unique_ptr<Evaluator> evaluator;
  };

  const SolverSettings& settings_;
  const SolverOptions& options_;
  std::vector<TestNet> nets_;
};

}  // namespace orepa
