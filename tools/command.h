// Command: one subcommand of orepa_tool; its name is one word, or two ("dataset build"). To add
// one, write tools/NAME.cpp with a function and a CommandRegistrar; flags that several commands
// share stand in flags.h.
#pragma once
#include <stdexcept>
#include <string>
#include <vector>

namespace orepa::tool {

struct Command {
  std::string name, help;
  std::vector<std::string> required, optional;  // names of its gflags; no other flag is taken
  void (*run)();                                // throws std::exception where it fails
  std::vector<std::string> repeatable = {};     // flags whose values add up to lines, one each
  std::string operands = "";  // what its words beside flags are, "RUN..."; empty: it takes none
};

// The command was called wrongly: exit code 2 and a hint at --help.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A training ended early because it was asked to: exit code 3.
class Stopped : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// It failed, and has said why: exit code 1.
class Told : public std::exception {};

// All commands in alphabetical order.
const std::vector<Command>& commands();

struct CommandRegistrar {
  explicit CommandRegistrar(Command command);
};

}  // namespace orepa::tool
