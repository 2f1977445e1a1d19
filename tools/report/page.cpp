#include "report/page.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string_view>

#include "orepa/error.h"
#include "report/template.h"

namespace orepa::tool {
namespace {

// Six digits are more than a screen shows, and fewer than a double prints.
double rounded(double value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.6g", value);
  return std::strtod(digits, nullptr);
}

Json points_json(const std::vector<Point>& points) {
  Json iterations = Json::array(), epochs = Json::array(), values = Json::array();
  for (const Point& point : points) {
    iterations.push_back(point.iteration);
    epochs.push_back(rounded(point.epoch));
    values.push_back(rounded(point.value));
  }
  return {{"iterations", iterations}, {"epochs", epochs}, {"values", values}};
}

// A curve of many points is a band of noise: its mean comes with it.
Json curve_json(size_t run, const std::string& name, const std::vector<Point>& points) {
  Json curve = {{"run", run}, {"name", name}};
  curve.update(points_json(thinned(points, kMostPoints)));
  if (points.size() >= kNoise)
    curve["mean"] = points_json(running_mean(points, points.size() / kMeans, kMeans));
  return curve;
}

const Curve* find(const std::vector<Curve>& curves, const std::string& name) {
  const auto found = std::find_if(curves.begin(), curves.end(),
                                  [&](const Curve& curve) { return curve.name == name; });
  return found == curves.end() || found->points.empty() ? nullptr : &*found;
}

bool is_loss(const std::string& output) { return output.find("loss") != std::string::npos; }

// Outputs of tests over all runs, in order of appearance.
std::vector<std::string> outputs_of(const std::vector<TrainingRun>& runs) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (const TrainingRun& run : runs)
    for (const Curve& curve : run.tests)
      if (!curve.points.empty() && seen.insert(curve.name).second) names.push_back(curve.name);
  return names;
}

// Whether it is a share, as accuracies are: in 0 to 1 everywhere.
bool is_share(const std::vector<TrainingRun>& runs, const std::string& output) {
  for (const TrainingRun& run : runs)
    if (const Curve* curve = find(run.tests, output))
      for (const Point& point : curve->points)
        if (point.value < 0 || point.value > 1) return false;
  return true;
}

// Charts are built curve by curve; those without any do not appear.
class Charts {
 public:
  explicit Charts(const std::vector<TrainingRun>& runs) : runs_(runs) {}

  // `unit`: how values are written: "number", "percent", "rate" or "count".
  void start(const std::string& title, const std::string& unit) {
    charts_.push_back({{"title", title}, {"unit", unit}, {"curves", Json::array()}});
  }
  void add_training(const std::string& curve, const std::string& name) {
    add(name, [&](const TrainingRun& run) { return find(run.training, curve); });
  }
  void add_test(const std::string& output) {
    add("test " + output, [&](const TrainingRun& run) { return find(run.tests, output); });
  }
  Json finish() {
    Json drawn = Json::array();
    for (const Json& chart : charts_)
      if (!chart["curves"].empty()) drawn.push_back(chart);
    return drawn;
  }

 private:
  template <class Choice>
  void add(const std::string& name, Choice choice) {
    for (size_t r = 0; r < runs_.size(); ++r)
      if (const Curve* curve = choice(runs_[r]))
        charts_.back()["curves"].push_back(curve_json(r, name, curve->points));
  }

  const std::vector<TrainingRun>& runs_;
  Json charts_ = Json::array();
};

Json charts_of(const std::vector<TrainingRun>& runs) {
  Charts charts(runs);
  const std::vector<std::string> outputs = outputs_of(runs);
  std::vector<std::string> shares, others;
  charts.start("Loss", "number");
  charts.add_training("loss", "training");
  for (const std::string& output : outputs) {
    if (is_loss(output))
      charts.add_test(output);
    else
      (is_share(runs, output) ? shares : others).push_back(output);
  }
  charts.start("Accuracy", "percent");
  for (const std::string& output : shares) charts.add_test(output);
  for (const std::string& output : others) {
    charts.start("Test: " + output, "number");
    charts.add_test(output);
  }
  charts.start("Learning rate", "rate");
  charts.add_training("rate", "rate");
  charts.start("Images a second", "count");
  charts.add_training("images_per_second", "images a second");
  charts.start("Time spent waiting for data", "percent");
  charts.add_training("data_wait", "waiting for data");
  return charts.finish();
}

double median(const Curve& curve) {
  std::vector<double> values;
  for (const Point& point : curve.points) values.push_back(point.value);
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// The last and the best number of each output: of losses the least, of others the greatest.
Json figures_of(const TrainingRun& run) {
  Json figures = {{"outputs", Json::object()}};
  if (const Curve* loss = find(run.training, "loss")) {
    figures["iteration"] = loss->points.back().iteration;
    figures["epoch"] = rounded(loss->points.back().epoch);
    figures["loss"] = rounded(loss->points.back().value);
  }
  if (const Curve* speed = find(run.training, "images_per_second"))
    figures["images_per_second"] = rounded(median(*speed));
  for (const Curve& curve : run.tests) {
    if (curve.points.empty()) continue;
    const auto [least, greatest] =
        std::minmax_element(curve.points.begin(), curve.points.end(),
                            [](const Point& a, const Point& b) { return a.value < b.value; });
    const Point& best = is_loss(curve.name) ? *least : *greatest;
    figures["outputs"][curve.name] = {{"last", rounded(curve.points.back().value)},
                                      {"best", rounded(best.value)},
                                      {"iteration", best.iteration}};
  }
  return figures;
}

Json branches_of(size_t r, const TrainingRun& run) {
  Json layers = Json::array();
  for (const LayerCurves& layer : run.branches) {
    Json norm = Json::array(), share = Json::array();
    for (const Curve& curve : layer.norm) norm.push_back(curve_json(r, curve.name, curve.points));
    for (const Curve& curve : layer.share) share.push_back(curve_json(r, curve.name, curve.points));
    layers.push_back({{"layer", layer.layer}, {"norm", norm}, {"share", share}});
  }
  return layers;
}

Json outputs_json(const std::vector<TrainingRun>& runs) {
  Json outputs = Json::array();
  for (const std::string& output : outputs_of(runs)) {
    const bool percent = !is_loss(output) && is_share(runs, output);
    outputs.push_back({{"name", output}, {"unit", percent ? "percent" : "number"}});
  }
  return outputs;
}

// JSON inside a script element, which the first "</script" would end.
std::string embedded(const Json& data) {
  std::string out;
  for (const char c : written(data)) {
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  }
  return out;
}

void replace(std::string& page, std::string_view mark, const std::string& text) {
  const size_t at = page.find(mark);
  require(at != std::string::npos, "the page has no place for ", mark);
  page.replace(at, mark.size(), text);
}

std::string title_of(const std::vector<TrainingRun>& runs) {
  return runs.size() == 1 ? runs[0].name : text("Comparison of ", runs.size(), " runs");
}

}  // namespace

Json page_data(const std::vector<TrainingRun>& runs) {
  Json all = Json::array();
  for (const TrainingRun& run : runs)
    all.push_back({{"name", run.name},
                   {"figures", figures_of(run)},
                   {"branches", branches_of(all.size(), run)},
                   {"network", run.network},
                   {"last_test", run.last_test},
                   {"solver", run.solver}});
  return {{"title", title_of(runs)},
          {"outputs", outputs_json(runs)},
          {"runs", all},
          {"charts", charts_of(runs)}};
}

std::string page_of(const std::vector<TrainingRun>& runs) {
  std::string page = kPageHtml;
  // The data last: it may hold what looks like a mark.
  replace(page, "{{style}}", kPageStyle);
  replace(page, "{{chart}}", kChartScript);
  replace(page, "{{page}}", kPageScript);
  replace(page, "{{data}}", embedded(page_data(runs)));
  return page;
}

}  // namespace orepa::tool
