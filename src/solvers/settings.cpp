#include "solvers/settings.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "core/atomic_file.h"
#include "core/error_list.h"
#include "core/pattern.h"
#include "io/text/upgrade.h"
#include "orepa/error.h"

namespace orepa {
namespace {

// SolverState::iter has 32 bits.
constexpr int64_t kMostIterations = std::numeric_limits<int32_t>::max();

std::string prefix_of(const SolverSpec& spec) {
  const Options solver = spec.options();
  if (solver.has("snapshot_prefix")) return solver.string("snapshot_prefix");
  return std::filesystem::path(spec.name()).replace_extension().string();
}

std::vector<ParameterRule> rules_of(const Options& solver) {
  std::vector<ParameterRule> rules;
  for (const Options& message : solver.messages("param_rule")) {
    ParameterRule rule;
    rule.pattern = message.string("name");
    const Pattern sound(text(message.where("name"), ": param_rule"), rule.pattern);
    rule.sets_lr_mult = message.has("lr_mult");
    rule.sets_decay_mult = message.has("decay_mult");
    rule.lr_mult = static_cast<float>(message.number("lr_mult"));
    rule.decay_mult = static_cast<float>(message.number("decay_mult"));
    rules.push_back(std::move(rule));
  }
  return rules;
}

// Values of fields; each that is out of its bounds is one of the errors.
class Fields {
 public:
  Fields(const Options& solver, ErrorList& errors) : solver_(solver), errors_(errors) {}

  // `sound` says whether a value is within the bounds.
  template <class Sound>
  double number(const char* field, Sound sound, const char* bounds) {
    double value = 0;
    errors_.attempt([&] {
      value = solver_.number(field);
      require(sound(value), solver_.where(field), ": ", field, " must ", bounds, ", got ", value);
    });
    return value;
  }
  float not_negative(const char* field) {
    return static_cast<float>(number(
        field, [](double value) { return value >= 0; }, "not be negative"));
  }
  float positive(const char* field) {
    return static_cast<float>(number(
        field, [](double value) { return value > 0; }, "be positive"));
  }
  // How much stays of what was there before.
  double share(const char* field) {
    return number(
        field, [](double value) { return value >= 0 && value < 1; }, "lie in [0, 1)");
  }
  int64_t count(const char* field, int64_t least) {
    const int64_t value = solver_.integer(field);
    errors_.require(value >= least, solver_.where(field), ": ", field, " must ",
                    least == 0 ? "not be negative" : "be positive", ", got ", value);
    return value;
  }

 private:
  const Options& solver_;
  ErrorList& errors_;
};

void require_one_form(const Options& solver, const std::string& iterations,
                      const std::string& epochs) {
  require(!solver.has(iterations) || !solver.has(epochs), solver.where(epochs), ": either ",
          iterations, " or ", epochs, " can be given, not both");
}

int64_t checked_iterations(const Options& solver, const std::string& field, int index,
                           int64_t value) {
  require(value >= 0, solver.where(field, index), ": ", field, " must not be negative, got ",
          value);
  return value;
}

int64_t iterations_of(const Options& solver, const std::string& field, int index, double epochs,
                      const std::string& iterations, int64_t iterations_per_epoch) {
  const std::string where = solver.where(field, index);
  require(iterations_per_epoch > 0, where, ": ", field,
          " needs a net with a source of samples; use ", iterations);
  require(epochs >= 0, where, ": ", field, " must not be negative, got ", epochs);
  const double length = epochs * static_cast<double>(iterations_per_epoch);
  require(length <= static_cast<double>(kMostIterations), where, ": ", field, " ", epochs,
          " would be ", length, " iterations; there are ", kMostIterations, " at most");
  return epochs == 0 ? 0 : std::max<int64_t>(1, std::llround(length));
}

}  // namespace

SolverSettings::SolverSettings(const SolverSpec& spec) {
  const Options solver = spec.options();
  ErrorList errors;
  Fields fields(solver, errors);
  errors.attempt([&] {
    type = type_of_solver(solver);
    make_update_rule(type, solver.where(solver.has("type") ? "type" : "solver_type"))
        ->check(solver);
  });
  prefix = prefix_of(spec);
  fallback = solver.string("snapshot_fallback");
  errors.require(fallback.empty() || std::filesystem::weakly_canonical(fallback) !=
                                         std::filesystem::weakly_canonical(folder_of(prefix)),
                 solver.where("snapshot_fallback"), ": snapshot_fallback is the folder \"",
                 fallback,
                 "\" that snapshot_prefix leads to already; name another, on another disk");
  hdf5 = solver.choice("snapshot_format") == "HDF5";
  keep = fields.count("snapshot_keep", 0);
  seed = static_cast<uint64_t>(std::max<int64_t>(0, solver.integer("random_seed")));
  iter_size = fields.count("iter_size", 1);
  average_loss = fields.count("average_loss", 1);
  rule.momentum = static_cast<float>(fields.share("momentum"));
  rule.momentum2 = static_cast<float>(fields.share("momentum2"));
  rule.rms_decay = static_cast<float>(fields.share("rms_decay"));
  rule.delta = fields.not_negative("delta");
  rule.trust_coefficient = fields.positive("trust_coefficient");
  weight_decay = fields.not_negative("weight_decay");
  const std::string kind = solver.string("regularization_type");
  errors.require(kind == "L1" || kind == "L2", solver.where("regularization_type"),
                 ": regularization_type must be L1 or L2, got \"", kind, "\"");
  l1 = kind == "L1";
  rule.rate_in_momentum = solver.choice("momentum_convention") == "CAFFE";
  if (solver.has("precision"))
    precision = solver.choice("precision") == "BF16" ? DType::kBFloat16 : DType::kFloat32;
  clip = fields.number(
      "clip_gradients", [](double value) { return value != 0; },
      "be positive, or negative for no clipping");
  debug_info = solver.flag("debug_info");
  display = fields.count("display", 0);
  test_batches = solver.integers("test_iter");
  for (size_t i = 0; i < test_batches.size(); ++i)
    errors.require(test_batches[i] > 0, solver.where("test_iter", static_cast<int>(i)),
                   ": test_iter must be positive, got ", test_batches[i],
                   "; without it the whole set is tested");
  const bool tests = solver.has("test_interval") || solver.has("test_interval_epoch");
  for (const char* field :
       {"test_iter", "test_net", "test_net_param", "test_state", "early_stop_tests"})
    errors.require(tests || !solver.has(field), solver.where(field), ": ", field,
                   " needs test_interval or test_interval_epoch, without which nothing is tested");
  errors.require(!solver.flag("snapshot_diff"), solver.where("snapshot_diff"),
                 ": snapshot_diff is not offered: snapshots hold no gradients; leave it out");
  test_initialization = solver.flag("test_initialization");
  snapshot_after_train = solver.flag("snapshot_after_train");
  errors.attempt([&] { rules = rules_of(solver); });
  ema_decay = fields.share("ema_decay");
  sync_statistics = solver.flag("sync_statistics");
  narrow_sums = solver.choice("sum_precision") == "BF16";
  early_stop_tests = fields.count("early_stop_tests", 0);
  errors.raise();
}

int64_t length_of(const Options& solver, const std::string& iterations, const std::string& epochs,
                  int64_t iterations_per_epoch) {
  require_one_form(solver, iterations, epochs);
  return solver.has(epochs) ? iterations_of(solver, epochs, 0, solver.number(epochs), iterations,
                                            iterations_per_epoch)
                            : checked_iterations(solver, iterations, 0, solver.integer(iterations));
}

std::vector<int64_t> lengths_of(const Options& solver, const std::string& iterations,
                                const std::string& epochs, int64_t iterations_per_epoch) {
  require_one_form(solver, iterations, epochs);
  std::vector<int64_t> lengths;
  for (const int64_t value : solver.integers(iterations))
    lengths.push_back(
        checked_iterations(solver, iterations, static_cast<int>(lengths.size()), value));
  for (const double value : solver.numbers(epochs))
    lengths.push_back(iterations_of(solver, epochs, static_cast<int>(lengths.size()), value,
                                    iterations, iterations_per_epoch));
  return lengths;
}

Schedule::Schedule(const Options& solver, int64_t iterations_per_epoch)
    : iterations_per_epoch(iterations_per_epoch) {
  ErrorList errors;
  errors.require(solver.has("max_iter") || solver.has("max_epoch"), solver.where(),
                 ": max_iter or max_epoch is missing");
  const auto length = [&](const char* iterations, const char* epochs) {
    int64_t length = 0;
    errors.attempt([&] { length = length_of(solver, iterations, epochs, iterations_per_epoch); });
    return length;
  };
  last_iteration = length("max_iter", "max_epoch");
  test_interval = length("test_interval", "test_interval_epoch");
  snapshot_interval = length("snapshot", "snapshot_epoch");
  errors.raise();
  require(solver.integer("early_stop_tests") == 0 ||
              (snapshot_interval > 0 && test_interval % snapshot_interval == 0),
          solver.where("early_stop_tests"), ": early_stop_tests needs a snapshot for every test, ",
          "but tests come every ", test_interval, " iterations and snapshots ",
          snapshot_interval > 0 ? text("every ", snapshot_interval) : "never",
          "; set snapshot to the interval of tests");
}

}  // namespace orepa
