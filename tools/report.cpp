#include <filesystem>
#include <iostream>
#include <map>

#include "command.h"
#include "command_line.h"
#include "core/atomic_file.h"
#include "flags.h"
#include "report/page.h"

namespace orepa::tool {
namespace {

std::string output_path(const std::vector<std::string>& folders) {
  if (!FLAGS_output.empty()) return FLAGS_output;
  if (folders.size() > 1)
    throw UsageError(
        "the comparison of several runs belongs to none of them: say where it goes "
        "with --output");
  return (std::filesystem::path(folders[0]) / "report.html").string();
}

void report() {
  const std::vector<std::string>& folders = operands();
  const std::string output = output_path(folders);
  std::vector<TrainingRun> runs;
  std::map<std::string, int> names;
  for (const std::string& folder : folders) {
    runs.push_back(read_run(folder));
    ++names[runs.back().name];
  }
  for (size_t r = 0; r < runs.size(); ++r)
    if (names[runs[r].name] > 1) runs[r].name = folders[r];
  write_atomically(output, page_of(runs));
  std::cout << "wrote " << output << '\n';
}

const CommandRegistrar registrar({"report",
                                  "a page of a run's curves, or of several beside each other",
                                  {},
                                  {"output"},
                                  report,
                                  {},
                                  "RUN..."});

}  // namespace
}  // namespace orepa::tool
