// A training by several processes, as mpirun or srun starts them (docs/scaling.md).
#pragma once
#include <functional>
#include <string>

#include "orepa/communicator.h"
#include "orepa/model_io.h"
#include "orepa/solver.h"
#include "run_report.h"

namespace orepa::tool {

// Calls train(ranks) with the ranks that this process is one of, null where it is alone. What it
// throws, the others are told, unless all throw the same: Stopped, UsageError, TestFailure.
void with_ranks(double timeout,
                const std::function<void(const std::shared_ptr<Communicator>&)>& train);

inline bool is_first(const Communicator* ranks) { return ranks == nullptr || ranks->rank() == 0; }

// Throws Error on all of them where they are not of one build, or not about to train the same.
void require_alike(Communicator& ranks, const SolverSpec& spec);

// Each takes its part of the machine's processors (part_of_machine), and computes with as many
// threads unless OMP_NUM_THREADS says how many. Returns a line about it.
std::string share_processors(const Communicator& ranks);

// A rank that is not the first: it says only what nobody else can know, and tells the first what it
// has observed of a test.
class Follower : public Observer {
 public:
  Follower(const Communicator* ranks, RunReport& report) : ranks_(ranks), report_(report) {}
  void tested(int64_t iteration, int net, const Evaluation& evaluation) override;
  void data_note(const std::string& what) override;
  Request request() override;

 private:
  const Communicator* ranks_;
  RunReport& report_;
};

}  // namespace orepa::tool
