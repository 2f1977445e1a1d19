#include "command_line.h"

#include <gflags/gflags.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "orepa/error.h"

namespace orepa::tool {
namespace {

std::vector<std::string> given_operands;

std::vector<std::string> all_flags(const Command& command) {
  std::vector<std::string> names = command.required;
  names.insert(names.end(), command.optional.begin(), command.optional.end());
  return names;
}

std::string suggestion(const std::string& name, const std::vector<std::string>& known,
                       const std::string& prefix) {
  const std::string nearest = nearest_name(name, known);
  return nearest.empty() ? "" : "; did you mean " + prefix + nearest + "?";
}

struct Assignment {
  std::string name, value;
};

// Reads the flag at words[at] and moves `at` behind it.
Assignment read_flag(const Command& command, const std::vector<std::string>& words, size_t& at) {
  const std::string& word = words[at++];
  const size_t start = word.find_first_not_of('-');
  if (start == 0 || start > 2 || start == std::string::npos)
    throw UsageError(text("\"", word, "\" is no flag; flags are written --name value"));
  const size_t equals = word.find('=');
  std::string name = word.substr(start, equals == std::string::npos ? equals : equals - start);

  const std::vector<std::string> known = all_flags(command);
  const auto is_known = [&](const std::string& flag) {
    return std::find(known.begin(), known.end(), flag) != known.end();
  };
  const auto is_bool = [&](const std::string& flag) {
    return is_known(flag) && gflags::GetCommandLineFlagInfoOrDie(flag.c_str()).type == "bool";
  };
  if (equals == std::string::npos && name.starts_with("no") && is_bool(name.substr(2)))
    return {name.substr(2), "false"};
  if (!is_known(name))
    throw UsageError(
        text("`", command.name, "` has no flag --", name, suggestion(name, known, "--")));
  if (equals != std::string::npos) return {name, word.substr(equals + 1)};
  if (is_bool(name)) return {name, "true"};
  if (at == words.size()) throw UsageError(text("flag --", name, " needs a value"));
  return {name, words[at++]};
}

std::string describe(const std::string& name, bool required) {
  const gflags::CommandLineFlagInfo flag = gflags::GetCommandLineFlagInfoOrDie(name.c_str());
  std::string line = text("  --", name, flag.type == "bool" ? "" : " VALUE");
  line.resize(std::max<size_t>(line.size() + 2, 28), ' ');
  line += flag.description;
  if (required) return line + " (required)\n";
  const bool has_default = flag.type != "bool" && !flag.default_value.empty();
  return line + (has_default ? " (default: " + flag.default_value + ")\n" : "\n");
}

}  // namespace

size_t words_of_command(const std::vector<std::string>& words) {
  std::string subcommands;
  for (const Command& command : commands())
    if (command.name.starts_with(words[0] + " ")) subcommands += "\n  " + command.name;
  if (subcommands.empty()) return 1;
  if (words.size() == 1 || words[1].starts_with("-"))
    throw UsageError(text("`", words[0], "` needs one more word:", subcommands));
  return 2;
}

const Command& find_command(const std::string& name) {
  std::vector<std::string> known;
  for (const Command& command : commands()) {
    if (command.name == name) return command;
    known.push_back(command.name);
  }
  throw UsageError(text("there is no command \"", name, "\"", suggestion(name, known, "")));
}

void set_flags(const Command& command, const std::vector<std::string>& words) {
  std::set<std::string> given;
  given_operands.clear();
  for (size_t at = 0; at < words.size();) {
    if (!command.operands.empty() && !words[at].starts_with('-')) {
      given_operands.push_back(words[at++]);
      continue;
    }
    auto [name, value] = read_flag(command, words, at);
    const bool first = given.insert(name).second;
    if (!first) {
      const auto& repeatable = command.repeatable;
      if (std::find(repeatable.begin(), repeatable.end(), name) == repeatable.end())
        throw UsageError(text("flag --", name, " is given twice"));
      value = gflags::GetCommandLineFlagInfoOrDie(name.c_str()).current_value + '\n' + value;
    }
    if (gflags::SetCommandLineOption(name.c_str(), value.c_str()).empty())
      throw UsageError(text("flag --", name, " cannot be \"", value, "\"; it is of type ",
                            gflags::GetCommandLineFlagInfoOrDie(name.c_str()).type));
  }
  for (const std::string& name : command.required)
    if (gflags::GetCommandLineFlagInfoOrDie(name.c_str()).current_value.empty())
      throw UsageError(text("`", command.name, "` needs the flag --", name));
  if (given_operands.empty() && !command.operands.empty())
    throw UsageError(text("`", command.name, "` needs ", command.operands));
}

std::string called(const Command& command) {
  std::string words = "orepa_tool " + command.name;
  for (const std::string& name : all_flags(command)) {
    const gflags::CommandLineFlagInfo flag = gflags::GetCommandLineFlagInfoOrDie(name.c_str());
    if (flag.is_default) continue;
    std::istringstream values(flag.current_value);
    for (std::string value; std::getline(values, value);) words += " --" + name + "=" + value;
  }
  return words;
}

const std::vector<std::string>& operands() { return given_operands; }

std::string general_help() {
  std::string help = "usage: orepa_tool COMMAND --flag value ...\n\ncommands:\n";
  for (const Command& command : commands()) {
    std::string line = "  " + command.name;
    line.resize(16, ' ');
    help += line + command.help + "\n";
  }
  return help + "\n`orepa_tool COMMAND --help` lists the flags of a command.\n";
}

std::string command_help(const Command& command) {
  std::string help = text("orepa_tool ", command.name, ": ", command.help, "\n\n");
  if (!command.operands.empty())
    help +=
        text("usage: orepa_tool ", command.name, " ", command.operands, " [--flag value ...]\n\n");
  help += "flags:\n";
  for (const std::string& flag : command.required) help += describe(flag, true);
  for (const std::string& flag : command.optional) help += describe(flag, false);
  return help;
}

}  // namespace orepa::tool
