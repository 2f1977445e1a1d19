#include "progress.h"

#include <unistd.h>

#include <iostream>

#include "orepa/error.h"
#include "signals.h"
#include "table.h"

namespace orepa::tool {
namespace {

constexpr double kLiveSeconds = 0.2, kPlainSeconds = 3;
constexpr const char* kEraseLine = "\r\033[K";

double seconds_between(std::chrono::steady_clock::time_point from,
                       std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

Progress::Progress(int64_t display) : live_(isatty(STDOUT_FILENO) != 0), display_(display) {
  start(1);
}

void Progress::start(int test_nets) {
  test_nets_ = test_nets;
  start_ = last_line_ = Clock::now();
}

void Progress::progress(const Observer::Progress& now) {
  const Clock::time_point time = Clock::now();
  if (first_iteration_ < 0) first_iteration_ = now.iteration - 1;
  images_ = now.images;
  const bool displayed = display_ > 0 && now.iteration % display_ == 0;
  const bool last = now.iteration == now.last_iteration;
  const double interval = live_ ? kLiveSeconds : kPlainSeconds;
  if (!displayed && !last && seconds_between(last_line_, time) < interval) return;

  const std::string line = describe(now, time);
  if (live_ && !displayed && !last) {
    std::cout << kEraseLine << line << std::flush;
    live_line_ = true;
  } else {
    print(line);
  }
  count_from_here();
}

void Progress::count_from_here() {
  last_line_ = Clock::now();
  images_at_last_line_ = images_;
}

std::string Progress::describe(const Observer::Progress& now, Clock::time_point time) const {
  std::string line =
      text("iteration ", grouped(now.iteration), " of ", grouped(now.last_iteration));
  if (now.epoch > 0) line += text("  epoch ", decimals(now.epoch, 2));
  line += text("  loss ", decimals(now.loss, 4), "  rate ", decimals(now.rate, 5));
  const int64_t images = now.images - images_at_last_line_;
  if (images > 0)
    line += text("  ", grouped(static_cast<int64_t>(images / seconds_between(last_line_, time))),
                 " images/s");
  const double a_step = seconds_between(start_, time) / (now.iteration - first_iteration_);
  return line + text("  ", clock(a_step * (now.last_iteration - now.iteration)), " left");
}

void Progress::tested(int64_t iteration, int net, const Evaluation& evaluation) {
  std::string line = text("iteration ", grouped(iteration), "  test");
  if (test_nets_ > 1) line += text(" #", net);
  for (const Evaluation::Output& output : evaluation.outputs)
    if (output.values.size() == 1)
      line += text("  ", output.blob, " = ", decimals(output.values[0], 4));
  print(line + text("  (", grouped(evaluation.samples), " samples)"));
  count_from_here();
}

void Progress::snapshotted(const std::string& state_path) {
  print("snapshot  " + state_path);
  count_from_here();
}

void Progress::note(const std::string& what) { print(what); }

Request Progress::request() { return take_request(); }

void Progress::print(const std::string& line) {
  if (live_line_) std::cout << kEraseLine;
  live_line_ = false;
  std::cout << line << std::endl;
}

}  // namespace orepa::tool
