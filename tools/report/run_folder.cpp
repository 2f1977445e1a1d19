#include "report/run_folder.h"

#include <algorithm>
#include <filesystem>

#include "core/input_file.h"
#include "orepa/error.h"
#include "report/sections.h"

namespace orepa::tool {
namespace {

constexpr const char* kTrainingCurves[] = {"loss", "rate", "images_per_second", "data_wait"};

Point point_of(const JsonLine& line, double value) {
  const double epoch = line.value.contains("epoch") ? number(line.value, "epoch", line.where) : 0;
  return {integer(line.value, "iteration", line.where), epoch, value};
}

void read_training(const std::string& path, TrainingRun& run) {
  for (const JsonLine& line : read_json_lines(path))
    for (const char* name : kTrainingCurves)
      if (line.value.contains(name))
        add_point(run.training, name, point_of(line, number(line.value, name, line.where)));
}

void read_tests(const std::string& path, TrainingRun& run) {
  for (const JsonLine& line : read_json_lines(path)) {
    const int64_t net = integer(line.value, "net", line.where);
    const Json& outputs = member(line.value, "outputs", line.where);
    require(outputs.is_object(), line.where, ": \"outputs\" is no object");
    for (const auto& [output, value] : outputs.items()) {
      if (value.is_array()) continue;  // one number a class: no curve
      add_point(run.tests, net == 0 ? output : text(output, " (test ", net, ")"),
                point_of(line, number(outputs, output, line.where)));
    }
  }
}

// The epoch of the test at this iteration, for curves that are noted without one.
double epoch_at(const TrainingRun& run, int64_t iteration) {
  for (const Curve& curve : run.tests)
    for (const Point& point : curve.points)
      if (point.iteration == iteration) return point.epoch;
  return 0;
}

LayerCurves& curves_of(TrainingRun& run, const std::string& layer) {
  const auto found = std::find_if(run.branches.begin(), run.branches.end(),
                                  [&](const LayerCurves& known) { return known.layer == layer; });
  if (found != run.branches.end()) return *found;
  run.branches.push_back({layer, {}, {}});
  return run.branches.back();
}

void read_branches(const std::string& path, TrainingRun& run) {
  for (const JsonLine& line : read_json_lines(path)) {
    Point point = point_of(line, 0);
    point.epoch = epoch_at(run, point.iteration);
    const Json& layers = member(line.value, "layers", line.where);
    require(layers.is_object(), line.where, ": \"layers\" is no object");
    for (const auto& [layer, branches] : layers.items()) {
      require(branches.is_object(), line.where, ": layer \"", layer, "\" is no object");
      LayerCurves& curves = curves_of(run, layer);
      for (const auto& [branch, scale] : branches.items()) {
        point.value = number(scale, "norm", line.where);
        add_point(curves.norm, branch, point);
        point.value = number(scale, "share", line.where);
        add_point(curves.share, branch, point);
      }
    }
  }
}

std::string name_of(const std::string& folder) {
  std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  if (path.filename().empty()) path = path.parent_path();  // "runs/first/"
  return path.filename().string();
}

}  // namespace

TrainingRun read_run(const std::string& folder) {
  require(std::filesystem::is_directory(folder), folder, ": there is no such folder of a run");
  const auto path = [&](const char* name) {
    return (std::filesystem::path(folder) / name).string();
  };
  const auto is_there = [&](const char* name) { return std::filesystem::exists(path(name)); };
  require(is_there("train.jsonl") || is_there("test.jsonl"), folder,
          ": is no folder of a run: it has neither train.jsonl nor test.jsonl");
  TrainingRun run;
  run.name = name_of(folder);
  if (is_there("train.jsonl")) read_training(path("train.jsonl"), run);
  if (is_there("test.jsonl")) read_tests(path("test.jsonl"), run);
  if (is_there("branches.jsonl")) read_branches(path("branches.jsonl"), run);
  if (is_there("solver.prototxt")) run.solver = read_file(path("solver.prototxt"));
  const auto section = [&](const char* name, auto make) -> Json {
    return is_there(name) ? make(read_json(path(name)), path(name)) : Json();
  };
  run.network = section("network.json", network_section);
  run.last_test = section("last_test.json", last_test_section);
  return run;
}

}  // namespace orepa::tool
