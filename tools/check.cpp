// check: whether a net or a solver is sound, and where it means something else than in Caffe.
#include <gflags/gflags.h>

#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <set>

#include "absent_data.h"
#include "caffe_differences.h"
#include "command.h"
#include "core/error_list.h"
#include "engine/graph.h"
#include "flags.h"
#include "orepa/error.h"
#include "orepa/model.h"
#include "solvers/learning_rate.h"
#include "solvers/settings.h"
#include "table.h"

DECLARE_string(solver);

namespace orepa::tool {
namespace {

class Check {
 public:
  void attempt(const std::function<void()>& part) { errors_.attempt(part); }

  // Of a net in its own file, in the phases that --phase leaves.
  void net(const std::string& path) {
    const NetSpec spec = NetSpec::read(path, Unknown::kKeep);
    tell(spec.unknown_fields());
    for (const Phase phase : phases()) {
      Parameters parameters(*device_, 0, phase == Phase::kTrain);
      errors_.attempt([&] { build(spec, phase, parameters); });
    }
  }

  void solver(const std::string& path) {
    const SolverSpec given = SolverSpec::read(path, Unknown::kKeep);
    tell(given.unknown_fields());
    const Options options = given.options();
    errors_.attempt([&] { const SolverSettings sound(given); });
    for (const std::string& weights : options.strings("weights"))
      errors_.require(std::filesystem::exists(weights), options.where("weights"),
                      ": there is no file \"", weights, "\"");
    // What a net leaves that could not be built is compared with no other.
    auto parameters = std::make_unique<Parameters>(*device_, 0, true);
    const auto attempt_net = [&](const auto& build_net) {
      if (!errors_.attempt(build_net)) parameters = std::make_unique<Parameters>(*device_, 0, true);
    };
    int64_t iterations = 0;
    attempt_net([&] { iterations = build(given.net(), Phase::kTrain, *parameters); });
    // A net without its data has epochs of an unknown length.
    const int64_t epoch = std::max<int64_t>(1, iterations);
    Schedule schedule;
    errors_.attempt([&] { schedule = Schedule(options, epoch); });
    errors_.attempt(
        [&] { LearningRate(options, epoch, schedule.last_iteration).at(schedule.last_iteration); });
    if (options.has("test_interval") || options.has("test_interval_epoch"))
      errors_.attempt([&] {
        for (const NetSpec& test : given.test_nets())
          attempt_net([&] { build(test, Phase::kTest, *parameters); });
      });
    for (const Difference& difference : caffe_differences())
      if (difference.solver != nullptr && difference.solver(options))
        met(difference, options.where(), difference.subject);
  }

  // Throws Told where there is an error.
  void conclude(const std::string& path) const {
    std::set<std::string> errors;  // one that a net has in both phases is one
    for (const std::string& error : errors_.each())
      if (errors.insert(error).second)
        std::cerr << "error: " << error << (error.ends_with('\n') ? "" : "\n");
    for (const auto& [difference, meeting] : differences_) {
      const size_t others = meeting.places.size() - 1;
      std::cout << meeting.first << (others > 0 ? text(" (and ", others, " more)") : "") << ": "
                << difference->what << "; " << difference->why
                << (difference->restores.empty() ? "" : "; as in Caffe: " + difference->restores)
                << '\n';
    }
    const auto counted = [](size_t count, const std::string& what) {
      return text(count, " ", what, count == 1 ? "" : "s");
    };
    std::cout << path << ": " << (errors.empty() ? "sound" : counted(errors.size(), "error"))
              << ", " << counted(differences_.size(), "difference")
              << " from Caffe (docs/caffe.md)\n";
    if (!errors.empty()) throw Told();
  }

 private:
  struct Meeting {
    std::string first;
    std::set<std::string> places;
  };

  static std::vector<Phase> phases() {
    if (FLAGS_phase.empty()) return {Phase::kTrain, Phase::kTest};
    return {net_options(Phase::kTest).phase};
  }

  static NetOptions options(Phase phase) {
    NetOptions options = net_options(phase);
    options.phase = phase;
    options.allocate = false;
    return options;
  }

  void tell(const std::vector<UnknownField>& fields) {
    for (const UnknownField& field : fields) errors_.add(field.str());
  }

  void met(const Difference& difference, const std::string& place, const std::string& subject) {
    Meeting& meeting = differences_[&difference];
    const std::string where = (place.empty() ? "" : place + ": ") + subject;
    if (meeting.places.empty()) meeting.first = where;
    meeting.places.insert(where);
  }

  // Tells of one net and returns the iterations of an epoch; 0 where they are not known.
  int64_t build(const NetSpec& spec, Phase phase, Parameters& parameters) {
    const LayerFilter filter{phase, FLAGS_level, split(FLAGS_stage)};
    for (const Difference& difference : caffe_differences()) {
      if (difference.net != nullptr && difference.net(spec.options()))
        met(difference, spec.options().where(difference.subject), difference.subject);
      if (difference.layer == nullptr) continue;
      for (const Options& options : spec.layers()) {
        const LayerSpec layer{options.string("name"), options.string("type"), options};
        if (included(layer, with_state(filter, spec)) && difference.layer(layer, phase))
          met(difference, options.where(), "layer \"" + layer.name + "\"");
      }
    }
    std::vector<std::string> notes;
    const NetSpec present = without_absent_data(spec, filter, notes);
    for (const std::string& note : notes) std::cout << note << '\n';
    Arena arena(*device_);
    const Net net(present, parameters, arena, options(phase));
    int64_t numbers = 0;
    for (const LayerReport& row : net.report()) numbers += row.parameters;
    std::cout << spec.name() << ": phase " << (phase == Phase::kTrain ? "TRAIN" : "TEST")
              << " has batches of " << net.batch_size() << ", " << grouped(numbers)
              << " parameters, " << mebibytes(net.arena_bytes()) << " MiB of blobs\n";
    const int64_t batch = net.batch_size();
    return batch > 0 ? (net.samples() + batch - 1) / batch : 0;
  }

  std::unique_ptr<Device> device_ = make_device();
  std::map<const Difference*, Meeting> differences_;  // by address: in the list's order
  ErrorList errors_;
};

void check() {
  if (FLAGS_model.empty() == FLAGS_solver.empty())
    throw UsageError("`check` needs a net (--model) or a solver (--solver)");
  const std::string& path = FLAGS_model.empty() ? FLAGS_solver : FLAGS_model;
  Check check;
  check.attempt([&] { FLAGS_model.empty() ? check.solver(path) : check.net(path); });
  check.conclude(path);
}

const CommandRegistrar registrar(
    {"check",
     "whether a net or a solver is sound, and where it differs from Caffe",
     {},
     {"model", "solver", "phase", "level", "stage"},
     check});

}  // namespace
}  // namespace orepa::tool
