#include "ranks.h"

#include <omp.h>

#include <cstdlib>
#include <functional>
#include <iostream>

#include "command.h"
#include "core/input_file.h"
#include "core/processors.h"
#include "orepa/error.h"
#include "signals.h"

namespace orepa::tool {
namespace {

// Now, for what ends the others waits for the end of the communicator.
[[noreturn]] void tell(const std::exception& error) {
  std::cerr << text("error: ", error.what(), '\n') << std::flush;
  throw Told();
}

}  // namespace

void with_ranks(double timeout,
                const std::function<void(const std::shared_ptr<Communicator>&)>& train) {
  const std::shared_ptr<Communicator> ranks = join_ranks(timeout);
  try {
    train(ranks);
  } catch (const Stopped&) {
    throw;
  } catch (const UsageError&) {  // all see the same
    throw;
  } catch (const TestFailure& failure) {  // all have heard of it
    if (ranks == nullptr) throw;
    tell(failure);
  } catch (const std::exception& error) {
    if (ranks == nullptr) throw;
    ranks->fail(error.what());
    tell(error);
  }
}

void require_alike(Communicator& ranks, const SolverSpec& spec) {
  const auto digest = [](const std::string& bytes) {
    return static_cast<int64_t>(std::hash<std::string>{}(bytes));
  };
  // The largest of a number and of its complement: they belong together where all are one.
  const int64_t program = digest(read_file("/proc/self/exe")), solver = digest(spec.text(""));
  int64_t most[] = {program, ~program, solver, ~solver};
  ranks.maximum(most, 4);
  require(most[0] == ~most[1],
          "the processes are not of one build of this program; install the same ",
          "one on all machines");
  require(most[2] == ~most[3],
          "the processes read different solvers or nets; give all of them the ",
          "same files and flags");
}

std::string share_processors(const Communicator& ranks) {
  take_processors(part_of_machine(ranks.local_size()));
  if (std::getenv("OMP_NUM_THREADS") == nullptr) omp_set_num_threads(processors());
  return text(ranks.size(), ", ", ranks.local_size(), " on this machine, with ",
              omp_get_max_threads(), omp_get_max_threads() == 1 ? " thread each" : " threads each");
}

void Follower::tested(int64_t, int net, const Evaluation&) { report_.gather(net); }

void Follower::data_note(const std::string& what) {
  std::cout << text("rank ", ranks_->rank(), ": ", what, '\n') << std::flush;
}

Request Follower::request() { return take_request(); }

}  // namespace orepa::tool
