#include <iostream>

#include "command.h"
#include "flags.h"
#include "nets.h"
#include "orepa/solver.h"
#include "progress.h"
#include "signals.h"
#include "table.h"

DEFINE_string(solver, "", "prototxt of the solver");
DEFINE_string(snapshot, "",
              ".solverstate to go on from, or `auto`: the newest one, if there is any");
DEFINE_string(sigint_effect, "stop", "what SIGINT does: stop, snapshot or none");
DEFINE_string(sighup_effect, "snapshot", "what SIGHUP does: stop, snapshot or none");

namespace orepa::tool {
namespace {

Request effect(const char* flag, const std::string& value) {
  const std::string& effect = choice(flag, value, {"stop", "snapshot", "none"});
  return effect == "stop"       ? Request::kStop
         : effect == "snapshot" ? Request::kSnapshot
                                : Request::kNone;
}

SolverOptions solver_options() {
  const NetOptions net = net_options(Phase::kTrain);
  SolverOptions options;
  options.level = net.level;
  options.stages = net.stages;
  options.snapshot = FLAGS_snapshot;
  options.cuda_graph = FLAGS_cuda_graph;
  if (!FLAGS_weights.empty() && !FLAGS_snapshot.empty() && FLAGS_snapshot != "auto")
    throw UsageError("--weights starts a new run and --snapshot goes on with an old one: give one");
  return options;
}

// What the solver's file says where no flag does. Without a solver_mode that is the CPU, not, as in
// Caffe, a GPU.
std::unique_ptr<Device> training_device(const Options& solver) {
  const bool tf32 = solver.flag("tf32");
  const bool flag = !FLAGS_device.empty() || !FLAGS_gpu.empty();
  if (flag || !solver.has("solver_mode") || solver.choice("solver_mode") != "GPU")
    return make_device("cpu", tf32);
  try {
    return make_device(text("cuda:", solver.integer("device_id")), tf32);
  } catch (const Error& error) {
    fail(solver.where("solver_mode"), ": solver_mode: GPU: ", error.what());
  }
}

// Where a new run starts: --weights, else what the solver's file names (Caffe's precedence).
std::vector<std::string> starting_weights(const SolverSpec& spec) {
  return FLAGS_weights.empty() ? spec.options().strings("weights") : split(FLAGS_weights);
}

// A line for each, where there are several.
std::string test_nets(const SolverSpec& spec, const Solver& solver) {
  std::string lines;
  if (solver.test_nets() < 2) return lines;
  int count = 0;
  for (const NetSpec& net : spec.test_nets())
    lines += text("\ntest #", count++, "     ", net.name());
  return lines;
}

void print_settings(const SolverSpec& spec, const Device& device, Solver& solver) {
  int64_t learned = 0, merged = 0;
  for (const LayerReport& layer : solver.net().report()) {
    learned += layer.parameters;
    merged += layer.merged_parameters;
  }
  Net& net = solver.net();
  const std::string images =
      net.samples() > 0 ? " of " + grouped(net.samples()) + " images" : std::string();
  std::cout << "solver      " << spec.name() << "\nnet         " << spec.net().name()
            << "\ndevice      " << device.description() << "\nparameters  " << grouped(learned)
            << " in training, " << grouped(merged) << " merged\nbatch       " << net.batch_size()
            << images << test_nets(spec, solver) << "\niterations  " << grouped(solver.iteration())
            << " to " << grouped(solver.last_iteration()) << "\nsnapshots   "
            << solver.snapshot_prefix() << "\nmemory      " << mebibytes(solver.planned_bytes())
            << " MiB at the planned peak" << std::endl;
}

void train() {
  set_effects(effect("sigint_effect", FLAGS_sigint_effect),
              effect("sighup_effect", FLAGS_sighup_effect));
  const SolverOptions options = solver_options();
  const SolverSpec spec = SolverSpec::read(FLAGS_solver);
  const std::unique_ptr<Device> device = training_device(spec.options());
  Progress progress(spec.options().integer("display"));
  Solver solver(spec, *device, options, progress);
  print_settings(spec, *device, solver);
  if (solver.iteration() == 0) load_and_report(starting_weights(spec), solver.parameters());
  progress.start(solver.test_nets());
  begin_training();
  if (!solver.solve()) throw Stopped("stopped as asked; --snapshot auto goes on from here");
}

const CommandRegistrar registrar({"train",
                                  "train a net, from the start, from weights or from a snapshot",
                                  {"solver"},
                                  {"weights", "weights_strict", "snapshot", "sigint_effect",
                                   "sighup_effect", "level", "stage", "algorithm", "device", "gpu",
                                   "tf32", "cuda_graph"},
                                  train});

}  // namespace
}  // namespace orepa::tool
