// How much memory the system could still give this process.
#pragma once
#include <cstdint>
#include <string>

namespace orepa::cpu {

// Bytes: the least of what /proc/meminfo calls available and of what the limits of the process's
// control groups (version 2, or the memory controller of version 1) and of those above them leave;
// the largest number where nothing says. What a group could drop, files' pages that are not in use,
// counts as free. `root` stands before the paths that are read, for tests.
int64_t available_memory(const std::string& root = "");

}  // namespace orepa::cpu
