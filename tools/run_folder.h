// RunFolder: what a training leaves besides its snapshots.
//
//   solver.prototxt  the configuration as it was in effect, with the nets in it
//   net.prototxt     the net of it alone, for `test` and `convert`
//   train.jsonl      a line for every interval of training
//   test.jsonl       a line for every test
//   network.json, last_test.json, branches.jsonl, report.html, and event files (run_report.h)
//   debug.jsonl      with debug_info: a line for every blob, gradient and parameter
//   log.txt          what was shown on the console, of every start
#pragma once
#include <cstdint>
#include <string>

#include "line_file.h"
#include "orepa/model_io.h"

namespace orepa::tool {

// What RunReport writes.
constexpr const char *kNetworkFile = "network.json", *kLastTestFile = "last_test.json",
                     *kBranchesFile = "branches.jsonl", *kPageFile = "report.html";

class RunFolder {
 public:
  // It need not be there.
  explicit RunFolder(std::string path) : path_(std::move(path)) {}
  const std::string& path() const { return path_; }

  // Whether the files of a run are in it. Throws Error where one of their names is another file's.
  bool holds_run() const;
  // Removes them, nothing else.
  void remove_run() const;

  // Makes the folder and writes the configuration; the lines of a run that goes on from `iteration`
  // stay up to there, its tests up to `last_test`. `flags`: those of the command line, for the
  // reader.
  void begin(const SolverSpec& spec, const std::string& flags, int64_t iteration,
             int64_t last_test);
  // The last of the lines of training that stayed; empty where there are none.
  const std::string& last_line() const { return last_line_; }

  std::string log_path() const;
  LineFile train, test, debug;

 private:
  std::string file(const std::string& name) const { return path_ + "/" + name; }

  std::string path_;
  std::string last_line_;
};

}  // namespace orepa::tool
