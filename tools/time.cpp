#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iostream>
#include <numeric>

#include "command.h"
#include "flags.h"
#include "json.h"
#include "nets.h"
#include "orepa/model.h"
#include "orepa/solver.h"
#include "ranks.h"
#include "table.h"

DEFINE_int32(iter_size, 1, "passes whose gradients make one step");

namespace orepa::tool {
namespace {

constexpr int kDefaultIterations = 10, kWarmUpIterations = 2;
constexpr std::array kStageNames{"forward", "backward", "prepare", "finish", "update"};

struct Timing {
  std::string model, phase, device;
  int64_t iterations = 0, batch_size = 0, images = 0;  // images of one iteration
  double median = 0, fastest = 0;                      // seconds of one whole iteration
  // Means over whole iterations: how often the host waits for the device, and loops, gemms and
  // passes of vendors.
  double waits = 0, launches = 0;
  int ranks = 1;            // that share an iteration
  double bytes_summed = 0;  // that each of them gives to sums over all, in an iteration
  // Of the iterations in which every layer was timed: seconds are means over them.
  double profiled = 0;
  std::vector<LayerReport> layers;
  int64_t planned_bytes = 0, peak_bytes = 0;

  double by_stage(size_t stage) const {
    return std::accumulate(
        layers.begin(), layers.end(), 0.0,
        [&](double sum, const LayerReport& layer) { return sum + layer.seconds[stage]; });
  }
  int64_t calls_by_stage(size_t stage) const {
    return std::accumulate(
        layers.begin(), layers.end(), int64_t{0},
        [&](int64_t sum, const LayerReport& layer) { return sum + layer.calls[stage]; });
  }
  // Of no layer: reading the loss, checking gradients, adding them where a blob has many readers.
  double other() const {
    double sum = profiled;
    for (size_t stage = 0; stage < kStageNames.size(); ++stage) sum -= by_stage(stage);
    return sum;
  }
};

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Whole iterations first, undisturbed; then as many with a clock around every call of a layer.
void measure(const Device& device, Net& net, const std::function<void()>& iteration,
             Timing& timing) {
  for (int i = 0; i < kWarmUpIterations; ++i) iteration();
  std::vector<double> whole;
  const Device::Counts before = device.counts();
  for (int64_t i = 0; i < timing.iterations; ++i) whole.push_back(seconds(iteration));
  const auto mean = [&](int64_t Device::Counts::*count) {
    return static_cast<double>(device.counts().*count - before.*count) / timing.iterations;
  };
  timing.waits = mean(&Device::Counts::waits);
  timing.launches = mean(&Device::Counts::launches);
  std::sort(whole.begin(), whole.end());
  timing.median = whole[whole.size() / 2];
  timing.fastest = whole[0];

  net.profile(true);
  for (int64_t i = 0; i < timing.iterations; ++i)
    timing.profiled += seconds(iteration) / timing.iterations;
  timing.layers = net.report();
  for (LayerReport& layer : timing.layers)
    for (size_t stage = 0; stage < kStageNames.size(); ++stage) {
      layer.seconds[stage] /= timing.iterations;
      layer.calls[stage] /= timing.iterations;
    }
  timing.batch_size = net.batch_size();
  timing.peak_bytes = peak_resident_bytes();
}

// As a prototxt takes a path of any bytes.
std::string escaped(const std::string& path) {
  std::string out = "\"";
  for (const char c : path) {
    char escape[5];
    std::snprintf(escape, sizeof escape, "\\%03o", static_cast<unsigned char>(c));
    out += escape;
  }
  return out + "\"";
}

// A solver whose rate is 0 does all the work of a step and never diverges.
void time_training(Device& device, const NetOptions& net, Communicator* ranks, Timing& timing) {
  if (FLAGS_iter_size < 1) throw UsageError("--iter_size must be positive");
  const SolverSpec spec = SolverSpec::parse(
      text("net: ", escaped(FLAGS_model), " base_lr: 0 lr_policy: \"fixed\" momentum: 0.9 ",
           "weight_decay: 0.0001 max_iter: 1 iter_size: ", FLAGS_iter_size,
           FLAGS_precision.empty() ? "" : " precision: " + FLAGS_precision),
      "the solver of orepa_tool time");
  SolverOptions options;
  options.level = net.level;
  options.stages = net.stages;
  options.cuda_graph = FLAGS_cuda_graph;
  options.ranks = ranks;
  Observer silent;
  Solver solver(spec, device, options, silent);
  timing.planned_bytes = solver.planned_bytes();
  report_precision(solver.net());
  measure(
      device, solver.net(), [&] { solver.step(); }, timing);
  timing.images = timing.batch_size * FLAGS_iter_size;
  if (ranks == nullptr) return;
  timing.ranks = ranks->size();
  timing.images = solver.net().rows().whole * FLAGS_iter_size;
  timing.bytes_summed =
      static_cast<double>(ranks->bytes_summed()) / static_cast<double>(solver.iteration());
}

void time_inference(Device& device, NetOptions options, Timing& timing) {
  if (FLAGS_cuda_graph)
    throw UsageError("--cuda_graph is for steps of training; time them with --phase TRAIN");
  options.weights_change_every_pass = false;
  Model model(NetSpec::read(FLAGS_model), device, options);
  Net& net = model.net;
  timing.planned_bytes = model.parameters.bytes() + net.persistent_bytes() + model.arena.bytes();
  report_precision(net);
  net.prepare();
  int64_t pass = 0;
  const auto iteration = [&] {
    net.forward(pass++);
    device.synchronize();
  };
  measure(device, net, iteration, timing);
  timing.images = timing.batch_size;
}

std::string milliseconds(double seconds) { return decimals(1000 * seconds, 2); }

void print_tables(const Timing& timing) {
  std::vector<std::string> titles{"layer", "type", "algorithm"};
  titles.insert(titles.end(), kStageNames.begin(), kStageNames.end());
  titles.insert(titles.end(), {"sum", "%"});
  Table table(titles, 3);
  const auto add = [&](std::vector<std::string> cells, const std::array<double, 5>& by_stage,
                       double sum) {
    for (const double seconds : by_stage) cells.push_back(milliseconds(seconds));
    cells.push_back(milliseconds(sum));
    cells.push_back(decimals(100 * sum / timing.profiled, 1));
    table.add(std::move(cells));
  };
  const auto sum_of = [](const std::array<double, 5>& by_stage) {
    return std::accumulate(by_stage.begin(), by_stage.end(), 0.0);
  };
  std::array<double, 5> totals{};
  for (const LayerReport& layer : timing.layers)
    add({first_name(layer), layer.type, layer.note}, layer.seconds, sum_of(layer.seconds));
  for (size_t stage = 0; stage < totals.size(); ++stage) totals[stage] = timing.by_stage(stage);
  add({"other", "", ""}, {}, timing.other());
  table.add_rule();
  add({"whole step", "", ""}, totals, timing.profiled);
  std::vector<std::string> calls{"calls", "", ""};
  for (size_t stage = 0; stage < kStageNames.size(); ++stage)
    calls.push_back(grouped(timing.calls_by_stage(stage)));
  calls.insert(calls.end(), {"", ""});
  table.add(calls);

  std::cout << timing.model << ", phase " << timing.phase << ", on " << timing.device
            << "\nmilliseconds and calls of one iteration, means over " << timing.iterations
            << "\n\n"
            << table.str() << "\nwhole step without clocks inside: median "
            << milliseconds(timing.median) << " ms, fastest " << milliseconds(timing.fastest)
            << " ms\nimages/s: " << decimals(timing.images / timing.median, 1) << " ("
            << timing.images << " an iteration)\nmemory: planned peak "
            << mebibytes(timing.planned_bytes) << " MiB, the whole process "
            << mebibytes(timing.peak_bytes) << " MiB\n";
  if (timing.ranks > 1)
    std::cout << "processes: " << timing.ranks << ", each gives "
              << mebibytes(static_cast<int64_t>(timing.bytes_summed))
              << " MiB an iteration to sums over all\n";
}

void print_json(const Timing& timing) {
  std::vector<std::string> layers;
  for (const LayerReport& layer : timing.layers) {
    JsonObject row;
    row.add("name", first_name(layer)).add("type", layer.type).add("algorithm", layer.note);
    for (size_t stage = 0; stage < kStageNames.size(); ++stage)
      row.add(text(kStageNames[stage], "_seconds"), layer.seconds[stage])
          .add(text(kStageNames[stage], "_calls"), layer.calls[stage]);
    row.add("forward_read_bytes", layer.forward.read)
        .add("forward_written_bytes", layer.forward.written)
        .add("backward_read_bytes", layer.backward.read)
        .add("backward_written_bytes", layer.backward.written)
        .add("parameters", layer.parameters);
    layers.push_back(row.str());
  }
  JsonObject whole;
  whole.add("model", timing.model)
      .add("phase", timing.phase)
      .add("device", timing.device)
      .add("iterations", timing.iterations)
      .add("images", timing.images)
      .add("median_seconds", timing.median)
      .add("fastest_seconds", timing.fastest)
      .add("images_per_second", timing.images / timing.median)
      .add("waits", timing.waits)
      .add("launches", timing.launches)
      .add("processes", int64_t{timing.ranks})
      .add("bytes_summed", timing.bytes_summed)
      .add("planned_bytes", timing.planned_bytes)
      .add("peak_bytes", timing.peak_bytes)
      .add("profiled_seconds", timing.profiled)
      .add("other_seconds", timing.other())
      .add_json("layers", json_list(layers));
  std::cout << whole.str() << "\n";
}

void time_among(const std::shared_ptr<Communicator>& ranks) {
  const NetOptions options = net_options(Phase::kTrain);
  if (ranks != nullptr) {
    if (options.phase == Phase::kTest)
      throw UsageError("several processes share steps of training; time them with --phase TRAIN");
    share_processors(*ranks);
  }
  const std::unique_ptr<Device> device = make_device("cpu", false, ranks.get());
  const std::shared_ptr<Communicator> connection = on_device(ranks, *device);
  Timing timing;
  timing.model = FLAGS_model;
  timing.device = device->description();
  timing.iterations = iterations(kDefaultIterations);
  if (options.phase == Phase::kTrain) {
    timing.phase = "TRAIN";
    time_training(*device, options, connection.get(), timing);
  } else {
    timing.phase = "TEST";
    time_inference(*device, options, timing);
  }
  if (!is_first(ranks.get())) return;
  if (FLAGS_json)
    print_json(timing);
  else
    print_tables(timing);
}

void time() { with_ranks(FLAGS_rank_timeout, time_among); }

const CommandRegistrar registrar({"time",
                                  "time every layer, and whole steps with the update",
                                  {"model"},
                                  {"iterations", "iter_size", "phase", "level", "stage",
                                   "algorithm", "precision", "device", "gpu", "tf32", "cuda_graph",
                                   "json", "rank_timeout"},
                                  time});

}  // namespace
}  // namespace orepa::tool
