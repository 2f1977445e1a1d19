#include "progress.h"

#include <algorithm>
#include <ctime>

#include "json.h"
#include "orepa/error.h"
#include "signals.h"
#include "table.h"

namespace orepa::tool {
namespace {

constexpr double kLiveSeconds = 0.2, kPlainSeconds = 3, kDay = 86400;

double seconds_between(std::chrono::steady_clock::time_point from,
                       std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::string formatted(const std::tm& time, const char* format) {
  char buffer[64];
  return {buffer, std::strftime(buffer, sizeof buffer, format, &time)};
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm time{};
  return formatted(*gmtime_r(&now, &time), "%Y-%m-%dT%H:%M:%SZ");
}

// When it will be so many seconds later: "14:05", on another day "Dec 02 14:05".
std::string end_clock(double seconds) {
  const std::time_t now = std::time(nullptr), end = now + static_cast<std::time_t>(seconds);
  std::tm today{}, time{};
  localtime_r(&now, &today);
  localtime_r(&end, &time);
  const bool same_day = seconds < kDay && today.tm_mday == time.tm_mday;
  return formatted(time, same_day ? "%H:%M" : "%b %d %H:%M");
}

// The outputs of a test that are one number.
std::vector<Evaluation::Output> numbers(const Evaluation& evaluation) {
  std::vector<Evaluation::Output> outputs = evaluation.outputs;
  std::erase_if(outputs, [](const auto& output) { return output.values.size() != 1; });
  return outputs;
}

// The curves of a line of training.
RunReport::Scalars scalars_of(const std::string& line) {
  RunReport::Scalars scalars;
  for (const char* name : {"loss", "rate", "images_per_second", "data_wait"})
    scalars.emplace_back(name, number_of(line, name));
  return scalars;
}

double per_second(double amount, double seconds) { return seconds > 0 ? amount / seconds : 0; }

}  // namespace

double Progress::Interval::images_per_second(const Totals& now) const {
  return per_second(static_cast<double>(now.images - from.images), now.seconds - from.seconds);
}

double Progress::Interval::data_wait(const Totals& now) const {
  return std::clamp(per_second(now.waited - from.waited, now.seconds - from.seconds), 0.0, 1.0);
}

void Progress::start(const Solver& solver, std::function<void()> begin) {
  begin_ = std::move(begin);
  solver_ = &solver;
  test_nets_ = solver.test_nets();
  test_interval_ = solver.test_interval();
  planned_bytes_ = solver.planned_bytes();
  iterations_per_epoch_ = solver.iterations_per_epoch();
  iteration_ = solver.iteration();
  tests_first_ = solver.tests_first();
}

void Progress::started() {
  begin_();
  const std::string& last_line = folder_.last_line();
  recorded_iteration_ = static_cast<int64_t>(number_of(last_line, "iteration"));
  seconds_before_ = std::max(0.0, number_of(last_line, "seconds"));
  // The event file begins with the test that is made again, and what stands beside it.
  if (tests_first_ && recorded_iteration_ == iteration_)
    report_.trained(iteration_, scalars_of(last_line));
  start_ = last_event_ = shown_.start = recorded_.start = Clock::now();
}

double Progress::since_last_event() const { return seconds_between(last_event_, Clock::now()); }

void Progress::not_training() { last_event_ = Clock::now(); }

void Progress::progress(const Observer::Progress& now) {
  const double passed = since_last_event();
  pace_.count(solver_->work(iteration_, now.iteration), passed);
  totals_ = {totals_.seconds + passed, now.data_wait, now.images};
  iteration_ = now.iteration;
  last_event_ = Clock::now();

  const bool displayed = display_ > 0 && now.iteration % display_ == 0;
  const bool last = now.iteration == now.last_iteration;
  const auto due = [&](const Interval& interval, double seconds) {
    return displayed || last || seconds_between(interval.start, last_event_) >= seconds;
  };
  if (console_.progress() && due(shown_, console_.live() ? kLiveSeconds : kPlainSeconds)) {
    const std::string line = describe(now);
    if (console_.live() && !displayed && !last)
      console_.status(line);
    else
      console_.line(line);
    shown_ = {totals_, last_event_};
  }
  if (displayed || last || (display_ == 0 && due(recorded_, kPlainSeconds))) record(now);
  if (const auto share = data_wait_.look(totals_.seconds, totals_.waited))
    console_.warn(
        text("the training waited for its data for ", decimals(*share * 100, 0),
             " % of the time: more threads (data_param.threads), smaller originals or shards ",
             "would make it faster"));
  if (report_.refresh()) not_training();
}

std::string Progress::describe(const Observer::Progress& now) const {
  std::string line =
      text("iteration ", grouped(now.iteration), " of ", grouped(now.last_iteration));
  if (now.epoch > 0) line += text("  epoch ", decimals(now.epoch, 2));
  line += text("  loss ", decimals(now.loss, 4), last_test_, "  rate ", decimals(now.rate, 5));
  if (now.images > 0)
    line += text("  ", grouped(static_cast<int64_t>(shown_.images_per_second(totals_))),
                 " images/s  data-wait ", decimals(shown_.data_wait(totals_) * 100, 0), " %");
  line += text("  ", mebibytes(planned_bytes_), " MiB");
  const auto left =
      pace_.seconds_of(solver_->work(now.iteration, now.last_iteration),
                       tests_to_come(now.iteration, now.last_iteration, test_interval_));
  return line + text("  ", clock(*left), " left, ends ", end_clock(*left));
}

void Progress::record(const Observer::Progress& now) {
  const std::string line =
      JsonObject()
          .add("iteration", now.iteration)
          .add("epoch", now.epoch)
          .add("loss", now.loss)
          .add("rate", now.rate)
          .add("images", now.iteration * now.images_per_iteration)
          .add("seconds", seconds_before_ + seconds_between(start_, last_event_))
          .add("images_per_second", recorded_.images_per_second(totals_))
          .add("data_wait", recorded_.data_wait(totals_))
          .add("time", utc_now())
          .str();
  write(folder_.train, line);
  report_.trained(now.iteration, scalars_of(line));
  recorded_iteration_ = now.iteration;
  recorded_ = {totals_, last_event_};
}

void Progress::tested(int64_t iteration, int net, const Evaluation& evaluation) {
  test_seconds_ = (net == 0 ? 0 : test_seconds_) + since_last_event();
  pace_.count_test(test_seconds_);
  std::string line = text("iteration ", grouped(iteration), "  test");
  if (test_nets_ > 1) line += text(" #", net);
  JsonObject outputs;
  RunReport::Scalars scalars;
  if (net == 0) last_test_.clear();
  for (const Evaluation::Output& output : numbers(evaluation)) {
    const std::string value = text("  ", output.blob, " = ", decimals(output.values[0], 4));
    line += value;
    outputs.add(output.blob, output.values[0]);
    scalars.emplace_back(output.blob, output.values[0]);
    if (net == 0 && last_test_.empty() && output.loss_weight == 0) last_test_ = value;
  }
  console_.line(line + text("  (", grouped(evaluation.samples), " samples)"));
  write(folder_.test,
        JsonObject()
            .add("iteration", iteration)
            .add("epoch", iterations_per_epoch_ > 0 ? static_cast<double>(iteration) /
                                                          static_cast<double>(iterations_per_epoch_)
                                                    : 0.0)
            .add("net", int64_t{net})
            .add("samples", evaluation.samples)
            .add_json("outputs", outputs.str())
            .add("time", utc_now())
            .str());
  report_.tested(iteration, net, scalars);
  not_training();
}

void Progress::measured(int64_t iteration, const Measure& measure) {
  const bool update = measure.stage == Stage::kUpdate;
  JsonObject line;
  line.add("iteration", iteration)
      .add("stage", text(update                              ? "update"
                         : measure.stage == Stage::kBackward ? "backward"
                                                             : "forward"))
      .add("layer", measure.layer)
      .add(update ? "parameter" : "blob", measure.name);
  if (measure.data) line.add("data", *measure.data);
  if (measure.gradient) line.add("gradient", *measure.gradient);
  write(folder_.debug, line.str());
}

void Progress::ended_early(const Observer::Progress& now) {
  if (recorded_iteration_ != now.iteration) record(now);
}

void Progress::snapshotted(const std::string& state_path) {
  console_.line("snapshot  " + state_path);
  not_training();
}

void Progress::note(const std::string& what) { console_.line(what); }

Request Progress::request() { return take_request(); }

void Progress::write(LineFile& file, const std::string& line) {
  if (const std::string problem = file.add(line); !problem.empty()) console_.warn(problem);
}

}  // namespace orepa::tool
