#include "run_folder.h"

#include <filesystem>
#include <vector>

#include "core/atomic_file.h"
#include "core/input_file.h"
#include "io/drafts.h"
#include "orepa/error.h"

namespace orepa::tool {
namespace {

// The first line of the files that are written here in the place of others of these names.
constexpr const char* kMark = "A run of orepa_tool train wrote this";
constexpr const char *kSolver = "solver.prototxt", *kNet = "net.prototxt", *kTrain = "train.jsonl",
                     *kTest = "test.jsonl", *kLog = "log.txt", *kDebug = "debug.jsonl",
                     *kEvents = "events.out.tfevents.";

// Without its end.
std::string last_line_of(std::string lines) {
  if (lines.empty()) return "";
  lines.pop_back();
  return lines.substr(lines.rfind('\n') + 1);
}

}  // namespace

bool RunFolder::holds_run() const {
  bool marked = false;
  for (const char* name : {kSolver, kNet, kTrain, kTest, kDebug, kNetworkFile, kLastTestFile,
                           kBranchesFile, kPageFile}) {
    const std::string path = file(name);
    if (!std::filesystem::exists(path)) continue;
    marked = marked || read_file(path).starts_with(text("# ", kMark));
    require(marked, path,
            ": was not written by a training and would be overwritten; give --run "
            "another folder");
  }
  return marked;
}

std::string RunFolder::log_path() const { return file(kLog); }

void RunFolder::remove_run() const {
  if (!holds_run()) return;
  std::vector<std::string> names = {kTrain,        kTest,         kDebug,    kLog, kNetworkFile,
                                    kLastTestFile, kBranchesFile, kPageFile, kNet, kSolver};
  for (const auto& entry : std::filesystem::directory_iterator(path_))
    if (const std::string name = entry.path().filename(); name.starts_with(kEvents))
      names.insert(names.begin(), name);
  for (const std::string& name : names) {
    std::error_code failure;
    std::filesystem::remove(file(name), failure);
    require(!failure, file(name), ": cannot be removed: ", failure.message());
  }
}

void RunFolder::begin(const SolverSpec& spec, const std::string& flags, int64_t iteration,
                      int64_t last_test) {
  std::error_code failure;
  std::filesystem::create_directories(path_, failure);
  require(!failure, path_, ": the folder of the run cannot be made: ", failure.message());
  for (const char* name : {kSolver, kNet, kTrain, kTest, kDebug}) remove_leftovers(file(name));
  const std::string lines = lines_until(file(kTrain), iteration);
  last_line_ = last_line_of(lines);
  spec.write(file(kSolver), text(kMark, ": what it trained, and all it needs.\n", flags));
  spec.net().write(file(kNet), text(kMark, ": the net of solver.prototxt, which has its own copy"));
  write_atomically(file(kTrain), lines);
  write_atomically(file(kTest), lines_until(file(kTest), last_test));
  train.open(file(kTrain));
  test.open(file(kTest));
  if (!spec.options().flag("debug_info")) return;
  write_atomically(file(kDebug), lines_until(file(kDebug), iteration));
  debug.open(file(kDebug));
}

}  // namespace orepa::tool
