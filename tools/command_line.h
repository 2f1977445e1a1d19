// The command line: `orepa_tool COMMAND [operand ...] --flag value ...`. gflags keeps the flags;
// the words are read here, because gflags itself ends the process where it meets an unknown one.
#pragma once
#include <string>
#include <vector>

#include "command.h"

namespace orepa::tool {

// How many of the words are the name of a command: two where commands of two begin with the first
// ("dataset build"). Throws UsageError where the second is missing. REQUIRES: there is a word.
size_t words_of_command(const std::vector<std::string>& words);
// Throws UsageError that names the nearest command.
const Command& find_command(const std::string& name);

// Sets the gflags of `command`: --flag value, --flag=value, a bool also as --flag and --noflag; one
// dash does as well as two. Throws UsageError where a flag is unknown, misses its value, has a bad
// one, is given twice (unless the command takes it several times), or is required and absent. Other
// words are operands, where the command takes some; it then needs one at least.
void set_flags(const Command& command, const std::vector<std::string>& words);

// The operands that set_flags() has read.
const std::vector<std::string>& operands();

// The command as it was called, for the reader: every flag whose value is not its default.
std::string called(const Command& command);

std::string general_help();
std::string command_help(const Command& command);

}  // namespace orepa::tool
