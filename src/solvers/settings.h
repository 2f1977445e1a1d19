// What the fields of a SolverParameter ask for, checked: all errors at once, each with its field
// and its place.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "orepa/model_io.h"
#include "orepa/params.h"
#include "orepa/update_rule.h"

namespace orepa {

// What is known before the nets are built.
struct SolverSettings {
  explicit SolverSettings(const SolverSpec& spec);

  std::string type;      // of the update rule, which there is
  std::string prefix;    // of snapshots; the solver's file without its ending where none is named
  std::string fallback;  // the folder of snapshots that cannot be written there; may be empty
  bool hdf5 = false;     // the format of snapshots
  int64_t keep = 0;      // how many of them; 0: all
  uint64_t seed = 0;
  int64_t iter_size = 1, average_loss = 1;
  RuleOptions rule;
  float weight_decay = 0;
  bool l1 = false;                 // decay by the sign of a weight, not by its size
  std::optional<DType> precision;  // of all nets, where the solver says one
  double clip = -1;                // the largest norm of the gradients; none where negative
  bool test_initialization = true, snapshot_after_train = true;
  double ema_decay = 0;          // 0: nothing is averaged
  bool sync_statistics = false;  // whether ranks normalise by those of the whole batch
  bool narrow_sums = false;      // whether ranks add up gradients in bfloat16
  int64_t early_stop_tests = 0;  // 0: never
  bool debug_info = false;
  int64_t display = 0;  // the interval of lines, and of debug_info's; 0: by time alone
  std::vector<int64_t> test_batches;  // by test net; empty: each walks over its whole set
  std::vector<ParameterRule> rules;
  bool cuda_graph = false;  // whether the work of a step is recorded; not in the file
};

// A length of training in iterations: what the field `iterations` says, or `epochs` of
// `iterations_per_epoch` (0: of a net without a source of samples), which are an iteration at least
// unless they are 0; 0 where neither field is there.
int64_t length_of(const Options& solver, const std::string& iterations, const std::string& epochs,
                  int64_t iterations_per_epoch);
// The same of repeated fields.
std::vector<int64_t> lengths_of(const Options& solver, const std::string& iterations,
                                const std::string& epochs, int64_t iterations_per_epoch);

// When things happen, in iterations.
struct Schedule {
  Schedule() = default;
  Schedule(const Options& solver, int64_t iterations_per_epoch);

  int64_t iterations_per_epoch = 0;  // 0 where the net has no source of samples
  int64_t last_iteration = 0;
  int64_t test_interval = 0, snapshot_interval = 0;  // 0: never
};

}  // namespace orepa
