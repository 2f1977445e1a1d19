#include "settings.h"

#include <filesystem>
#include <sstream>

#include "command.h"
#include "orepa/error.h"

DEFINE_string(
    set, "",
    "FIELD=VALUE: a field of the solver or, as in net.layer[NAME].FIELD or "
    "net.layer[NAME:TRAIN].FIELD, of its nets, with another value than the files say; may be given "
    "several times");
DEFINE_string(data, "", "folder whose sub-folders train and val the Data layers read");

namespace orepa::tool {
namespace {

// Behind the path: a name in brackets may have a = in it.
size_t find_equals(const std::string& words) {
  bool in_brackets = false;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == '[' || words[i] == ']') in_brackets = words[i] == '[';
    if (words[i] == '=' && !in_brackets) return i;
  }
  throw UsageError(text("flag --set is \"", words, "\"; it is written FIELD=VALUE"));
}

}  // namespace

std::vector<Setting> settings_of_flag() {
  std::vector<Setting> settings;
  std::istringstream lines(FLAGS_set);
  for (std::string line; std::getline(lines, line);) {
    const size_t equals = find_equals(line);
    const std::string path = line.substr(0, equals);
    settings.push_back({path, line.substr(equals + 1), "--set " + path});
  }
  return settings;
}

SolverSpec with_data(const SolverSpec& spec) {
  const std::filesystem::path data = FLAGS_data;
  for (const char* folder : {"train", "val"})
    require(std::filesystem::is_directory(data / folder), "--data ", FLAGS_data,
            ": there is no folder ", (data / folder).string(),
            "; training reads from train, tests read from val");
  return spec.with_sources((data / "train").string(), (data / "val").string(),
                           "--data " + FLAGS_data);
}

std::string quoted_text(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string text_list(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) list += (list.empty() ? "" : ", ") + quoted_text(text);
  return '[' + list + ']';
}

}  // namespace orepa::tool
