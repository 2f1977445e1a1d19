#include <algorithm>
#include <chrono>
#include <filesystem>
#include <sstream>

#include "command.h"
#include "command_line.h"
#include "console.h"
#include "flags.h"
#include "nets.h"
#include "orepa/error.h"
#include "orepa/solver.h"
#include "pace.h"
#include "progress.h"
#include "ranks.h"
#include "run_folder.h"
#include "run_report.h"
#include "settings.h"
#include "signals.h"
#include "solvers/settings.h"
#include "table.h"

DEFINE_string(solver, "", "prototxt of the solver");
DEFINE_string(snapshot, "",
              ".solverstate to go on from, or `auto`: the newest one, if there is any");
DEFINE_string(run, "",
              "folder for all that the run writes; default: snapshots go where snapshot_prefix "
              "says, the rest to PREFIX.run");
DEFINE_bool(overwrite, false, "removes the run that is there, its snapshots too, and starts anew");
DEFINE_bool(dry_run, false,
            "trains two iterations, predicts what the run takes, and writes nothing");
DEFINE_bool(tensorboard, false, "also writes TensorBoard's event files into the run's folder");
DEFINE_string(progress, "auto",
              "auto, live (one line, rewritten), plain (a line now and then) or none");
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
  if (FLAGS_overwrite && !FLAGS_snapshot.empty())
    throw UsageError("--overwrite removes the run that --snapshot goes on with: give one");
  return options;
}

// What the solver's file says where no flag does. Without a solver_mode that is the CPU, not, as in
// Caffe, a GPU.
std::unique_ptr<Device> training_device(const Options& solver, const Communicator* ranks) {
  const bool tf32 = solver.flag("tf32");
  const bool flag = !FLAGS_device.empty() || !FLAGS_gpu.empty();
  if (flag || !solver.has("solver_mode") || solver.choice("solver_mode") != "GPU")
    return make_device("cpu", tf32, ranks);
  const int64_t own = solver.has("device_id") || ranks == nullptr ? solver.integer("device_id")
                                                                  : ranks->local_rank();
  try {
    return make_device(text("cuda:", own), tf32);
  } catch (const Error& error) {
    fail(solver.where("solver_mode"), ": solver_mode: GPU: ", error.what());
  }
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

// The settings as they are in effect, a line each.
std::string settings(const SolverSpec& spec, const std::vector<Setting>& changes,
                     const std::string& processes, const RunFolder& folder, const Device& device,
                     Solver& solver) {
  int64_t learned = 0, merged = 0;
  for (const LayerReport& layer : solver.net().report()) {
    learned += layer.parameters;
    merged += layer.merged_parameters;
  }
  Net& net = solver.net();
  const std::string images =
      net.samples() > 0 ? " of " + grouped(net.samples()) + " images" : std::string();
  const int64_t batch = std::max(net.rows().whole, net.batch_size());  // of all processes
  std::string changed;
  for (const Setting& change : changes)
    changed += text("\nset         ", change.path, " = ", change.value);
  return text("solver      ", spec.name(), "\nnet         ", spec.net().name(), changed,
              processes.empty() ? "" : "\nprocesses   " + processes, "\ndevice      ",
              device.description(), "\nparameters  ", grouped(learned), " in training, ",
              grouped(merged), " merged\nbatch       ", batch, images, test_nets(spec, solver),
              "\niterations  ", grouped(solver.iteration()), " to ",
              grouped(solver.last_iteration()), "\nrun         ", folder.path(), "\nsnapshots   ",
              solver.snapshot_prefix(), "\nmemory      ", mebibytes(solver.planned_bytes()),
              " MiB at the planned peak");
}

// A new run has a folder and a prefix of its own.
void require_free(bool holds_run, const std::string& place) {
  require(
      !holds_run || FLAGS_overwrite || !FLAGS_snapshot.empty(), place,
      ": holds a run already; go on with it (--snapshot auto), replace it (--overwrite) or give "
      "this one another folder (--run)");
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Two iterations and a batch of every test; says what all of them will take.
void dry_run(Solver& solver, Console& console) {
  using Clock = std::chrono::steady_clock;
  const int64_t start = solver.iteration(),
                iterations = std::max<int64_t>(0, solver.last_iteration() - start),
                tests = tests_to_come(start, solver.last_iteration(), solver.test_interval()) +
                        (solver.tests_first() ? 1 : 0);
  solver.step();  // the first one is slower: buffers are touched, algorithms chosen
  const Clock::time_point second = Clock::now();
  const double loss = solver.step();
  Pace pace;
  const double seconds = seconds_since(second);
  pace.count(solver.work(start + 1, start + 2), seconds);
  double test_seconds = 0;
  for (int net = 0; net < solver.test_nets(); ++net) {
    const Clock::time_point begin = Clock::now();
    solver.test(net, 1);
    test_seconds += seconds_since(begin) * static_cast<double>(solver.test_batches(net));
  }
  pace.count_test(test_seconds);
  console.line(text("dry run: a step takes ", decimals(seconds * 1000, 1), " ms (loss ",
                    decimals(loss, 4), "), a test ", clock(test_seconds), "; all ",
                    grouped(iterations), " iterations and ", grouped(tests), " tests about ",
                    clock(*pace.seconds_of(solver.work(start, start + iterations), tests)), " on ",
                    mebibytes(solver.planned_bytes()), " MiB; nothing was written"));
}

// The configuration that is in effect: the solver's file, --set, --data and --run.
SolverSpec configuration(const std::vector<Setting>& changes) {
  SolverSpec spec = SolverSpec::read(FLAGS_solver).with(changes);
  if (!FLAGS_data.empty()) spec = with_data(spec);
  std::string prefix = SolverSettings(spec).prefix;
  if (!FLAGS_run.empty()) prefix = (FLAGS_run / std::filesystem::path(prefix).filename()).string();
  std::vector<Setting> flags = {
      {"snapshot_prefix", quoted_text(prefix), FLAGS_run.empty() ? spec.name() : "--run"}};
  if (!FLAGS_weights.empty())
    flags.push_back({"weights", text_list(split(FLAGS_weights)), "--weights"});
  if (FLAGS_tf32) flags.push_back({"tf32", "true", "--tf32"});
  return spec.with(flags);
}

void train_among(const std::shared_ptr<Communicator>& ranks) {
  set_effects(effect("sigint_effect", FLAGS_sigint_effect),
              effect("sighup_effect", FLAGS_sighup_effect));
  const bool first = is_first(ranks.get());  // who shows and writes what there is to show and write
  Console console(FLAGS_progress, !first);
  SolverOptions options = solver_options();
  const std::vector<Setting> changes = settings_of_flag();
  const SolverSpec spec = configuration(changes);
  const std::string prefix = spec.options().string("snapshot_prefix");
  RunFolder folder(FLAGS_run.empty() ? prefix + ".run" : FLAGS_run);
  if (first && !FLAGS_dry_run) require_free(folder.holds_run(), folder.path());
  if (ranks != nullptr) require_alike(*ranks, spec);

  const std::string processes = ranks == nullptr ? "" : share_processors(*ranks);
  const std::unique_ptr<Device> device = training_device(spec.options(), ranks.get());
  const std::shared_ptr<Communicator> connection = on_device(ranks, *device);
  options.ranks = connection.get();
  // What the report adds up is in the host's memory.
  RunReport report(console, folder.path(), FLAGS_tensorboard, ranks.get());
  options.observe = [&](int test, Net& net, const TestBlobs& blobs, int64_t first_sample) {
    report.observe(test, net, blobs, first_sample);
  };
  Progress progress(console, folder, report, spec.options().integer("display"));
  Follower follower(ranks.get(), report);
  Solver solver(spec, *device, options, first ? static_cast<Observer&>(progress) : follower);
  const bool has_snapshots = solver.has_snapshots();
  if (!FLAGS_dry_run) require_free(has_snapshots, prefix);
  console.line(settings(spec, changes, processes, folder, *device, solver));
  if (solver.iteration() == 0) {
    std::ostringstream loaded;
    load_and_report(spec.options().strings("weights"), solver.parameters(), false, loaded);
    if (!loaded.str().empty()) console.line(loaded.str().substr(0, loaded.str().size() - 1));
  }
  if (FLAGS_dry_run) return dry_run(solver, console);
  report.choose_test(spec, net_options(Phase::kTest), solver);
  progress.start(solver, [&] {
    if (FLAGS_overwrite) {
      folder.remove_run();
      solver.remove_snapshots();
    }
    folder.begin(spec, called(find_command("train")), solver.iteration(),
                 solver.iteration() - (solver.tests_first() ? 1 : 0));
    console.keep_log(folder.log_path());
    report.begin(spec, solver);
  });
  begin_training();
  try {
    const bool done = solver.solve();
    if (first) report.end();
    if (!done) throw Stopped("stopped as asked; --snapshot auto goes on from here");
  } catch (const std::exception& end) {
    console.log(end.what());
    throw;
  }
}

void train() { with_ranks(FLAGS_rank_timeout, train_among); }

const CommandRegistrar registrar(
    {"train",
     "train a net, from the start, from weights or from a snapshot",
     {"solver"},
     {"set",           "data",          "run",     "overwrite",      "dry_run",
      "tensorboard",   "progress",      "weights", "weights_strict", "snapshot",
      "sigint_effect", "sighup_effect", "level",   "stage",          "algorithm",
      "device",        "gpu",           "tf32",    "cuda_graph",     "rank_timeout"},
     train,
     {"set"}});

}  // namespace
}  // namespace orepa::tool
