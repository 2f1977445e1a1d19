#include "run_report.h"

#include <algorithm>
#include <filesystem>

#include "core/atomic_file.h"
#include "image_layer.h"
#include "orepa/branch_scales.h"
#include "orepa/error.h"
#include "report/notes.h"
#include "report/page.h"
#include "run_folder.h"

namespace orepa::tool {
namespace {

constexpr double kShare = 0.01, kPageSeconds = 60;

double seconds_between(std::chrono::steady_clock::time_point from,
                       std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

void RunReport::choose_test(const SolverSpec& spec, const NetOptions& options,
                            const Solver& solver) {
  attempt("the samples of the test", [&] {
    if (solver.test_nets() == 0) return;
    const std::vector<NetSpec> tests = spec.test_nets();
    const auto test = std::find_if(tests.begin(), tests.end(), [&](const NetSpec& net) {
      return test_blobs(net, options).has_value();
    });
    if (test == tests.end()) return;
    observed_ = static_cast<int>(test - tests.begin());
    const auto layer = image_layer(*test, options);
    if (!layer) return;
    last_test_.images_are_bgr(makes_bgr(*layer));
    classes_ = class_names(*layer);
  });
}

void RunReport::observe(int test, Net& net, const TestBlobs& blobs, int64_t first_sample) {
  if (test == observed_) last_test_.observe(net, blobs, first_sample);
}

void RunReport::gather(int net) {
  if (ranks_ != nullptr && net == observed_) last_test_.gather(*ranks_);
}

void RunReport::begin(const SolverSpec& spec, Solver& solver) {
  solver_ = &solver;
  start_ = Clock::now();
  net_ = spec.net();
  const std::vector<Options> layers = net_->layers();
  has_branches_ = std::any_of(layers.begin(), layers.end(), [](const Options& layer) {
    return layer.string("type") == "ORepaConv";
  });
  attempt(kNetworkFile, [&] {
    write_atomically(file(kNetworkFile),
                     network_json(net_->options().string("name"), solver.net()));
  });
  attempt(kBranchesFile, [&] {
    // A test that is made again has a line again.
    const int64_t last = solver.iteration() - (solver.tests_first() ? 1 : 0);
    const std::string branches = file(kBranchesFile);
    if (std::filesystem::exists(branches)) write_atomically(branches, lines_until(branches, last));
  });
  if (!tensorboard_) return;
  attempt("event file", [&] {
    // Where the test of this iteration is made again, all of it is told again.
    const int64_t done = solver.tests_first() ? 0 : 1;
    const int64_t iteration = solver.iteration();
    events_ = std::make_unique<EventFile>(folder_, iteration > 0 ? iteration + done : 0);
  });
}

void RunReport::trained(int64_t iteration, const Scalars& scalars) {
  write_scalars("train", iteration, scalars);
}

void RunReport::tested(int64_t iteration, int net, const Scalars& scalars) {
  gather(net);
  write_scalars(net == 0 ? "test" : text("test_", net), iteration, scalars);
  if (net == observed_ && !last_test_.empty())
    attempt(kLastTestFile, [&] { write_last_test(iteration); });
  if (net + 1 < solver_->test_nets()) return;
  const bool last = iteration >= solver_->last_iteration();
  without_branches_ = iteration;
  if (last || affordable(branch_work_)) write_branches(iteration);
  if (affordable(page_work_)) write_page();
}

bool RunReport::refresh() {
  if (seconds_between(std::max(start_, page_work_.last), Clock::now()) < kPageSeconds ||
      !affordable(page_work_))
    return false;
  write_page();
  return true;
}

void RunReport::end() {
  if (without_branches_ == solver_->iteration()) write_branches(without_branches_);
  write_page();
}

bool RunReport::affordable(const Work& work) const {
  return work.seconds <= kShare * seconds_between(start_, Clock::now());
}

void RunReport::do_work(Work& work, const std::string& what, const std::function<void()>& call) {
  const Clock::time_point begin = Clock::now();
  attempt(what, call);
  work.last = Clock::now();
  work.seconds += seconds_between(begin, work.last);
}

void RunReport::attempt(const std::string& what, const std::function<void()>& write) {
  try {
    write();
    failing_.erase(what);
  } catch (const std::exception& error) {
    if (failing_.insert(what).second)
      console_.warn(text(what, ": ", error.what(), "; the training goes on"));
  }
}

void RunReport::write_scalars(const std::string& group, int64_t iteration, const Scalars& scalars) {
  if (!events_) return;
  attempt("event file", [&] {
    for (const auto& [name, value] : scalars)
      events_->scalar(text(group, "/", name), iteration, value);
  });
}

void RunReport::write_last_test(int64_t iteration) {
  const bool named = static_cast<int64_t>(classes_.size()) == last_test_.classes();
  write_atomically(
      file(kLastTestFile),
      last_test_.json(observed_, iteration, named ? classes_ : std::vector<std::string>()));
}

void RunReport::write_branches(int64_t iteration) {
  without_branches_ = -1;
  if (has_branches_) do_work(branch_work_, kBranchesFile, [&] { add_branches(iteration); });
}

void RunReport::add_branches(int64_t iteration) {
  const std::vector<LayerBranches> scales = branch_scales(*net_, solver_->parameters());
  if (scales.empty()) return;
  if (!branches_open_) branches_.open(file(kBranchesFile));
  branches_open_ = true;
  if (const std::string problem = branches_.add(branches_line(iteration, scales)); !problem.empty())
    console_.warn(problem);
}

void RunReport::write_page() {
  do_work(page_work_, kPageFile,
          [&] { write_atomically(file(kPageFile), page_of({read_run(folder_)})); });
}

}  // namespace orepa::tool
