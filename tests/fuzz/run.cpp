// Bytes read as the files of a run, one behind another with a line of "---" between: by a report of
// it, and by a training that goes on.
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "core/input_file.h"
#include "tests/fuzz/support.h"
#include "tools/json.h"
#include "tools/line_file.h"
#include "tools/report/page.h"

using namespace orepa;

namespace {

constexpr const char* kFiles[] = {"train.jsonl",  "test.jsonl",     "branches.jsonl",
                                  "network.json", "last_test.json", "solver.prototxt"};

// Files that the input has no part for are not there.
void write_files(const std::string& folder, const std::string& input) {
  const std::string between = "\n---\n";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directory(folder);
  size_t at = 0;
  for (const char* file : kFiles) {
    const size_t end = std::min(input.find(between, at), input.size());
    fuzz::write_file(folder + file, reinterpret_cast<const uint8_t*>(input.data() + at), end - at);
    if (end == input.size()) return;
    at = end + between.size();
  }
}

// Of every line that stays, the iteration is known, and cutting again changes nothing.
void cut(const std::string& path, int64_t iteration) {
  const std::string kept = tool::lines_until(path, iteration);
  std::istringstream lines(kept);
  for (std::string line; std::getline(lines, line);) {
    const double at = tool::number_of(line, "iteration");
    if (!(at >= 0 && at <= static_cast<double>(iteration))) std::abort();
    tool::number_of(line, "seconds");
  }
  const std::string again = path + ".cut";
  fuzz::write_file(again, reinterpret_cast<const uint8_t*>(kept.data()), kept.size());
  if (tool::lines_until(again, iteration) != kept) std::abort();
}

// Whatever a name has in it, what is written is JSON.
void quote(const std::string& text) {
  if (!tool::Json::parse(tool::quoted(text)).is_string()) std::abort();
  const std::string object = tool::JsonObject().add(text, text).add("", 1.5).str();
  if (!tool::Json::parse(object).is_object()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string folder = fuzz::folder() + "run/",
                    input(reinterpret_cast<const char*>(data), size);
  write_files(folder, input);
  quote(input);
  for (const int64_t iteration : {0, 10}) cut(folder + kFiles[0], iteration);
  fuzz::refuses_or_does(folder, [&] {
    const tool::TrainingRun run = tool::read_run(folder);
    for (const tool::Curve& curve : run.training)
      for (size_t i = 1; i < curve.points.size(); ++i)
        if (curve.points[i - 1].iteration >= curve.points[i].iteration) std::abort();
    tool::page_of({run, run});
  });
  return 0;
}
