#include "backend/cpu/available_memory.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

namespace orepa::cpu {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

// The number in a file that holds nothing else; `absent` where there is none ("max").
int64_t number_in(const fs::path& path, int64_t absent) {
  std::ifstream file(path);
  int64_t number = 0;
  return file >> number ? number : absent;
}

// The number behind a word that starts a line.
int64_t number_behind(const std::string& word, const fs::path& path, int64_t absent) {
  std::ifstream file(path);
  std::string line, first;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    int64_t number = 0;
    if (words >> first && first == word && words >> number) return number;
  }
  return absent;
}

// The names that one version of control groups gives its files.
struct Files {
  const char *limit, *usage, *reclaimable;
};

// What is left in `group` and in every group above it, up to `top`.
int64_t left_in_groups(fs::path group, const fs::path& top, const Files& files) {
  int64_t left = kUnlimited;
  for (;; group = group.parent_path()) {
    const int64_t limit = number_in(group / files.limit, kUnlimited);
    if (limit != kUnlimited) {
      const int64_t used = number_in(group / files.usage, 0) -
                           number_behind(files.reclaimable, group / "memory.stat", 0);
      left = std::min(left, std::max<int64_t>(0, limit - used));
    }
    if (group == top || !group.has_relative_path()) return left;
  }
}

int64_t left_in_control_groups(const std::string& root) {
  const fs::path mount = root + "/sys/fs/cgroup";
  std::ifstream groups(root + "/proc/self/cgroup");  // lines "NUMBER:CONTROLLERS:PATH"
  std::string number, controllers, path;
  int64_t left = kUnlimited;
  while (std::getline(groups, number, ':') && std::getline(groups, controllers, ':') &&
         std::getline(groups, path)) {
    const fs::path relative = fs::path(path).relative_path();
    if (controllers.empty())
      left = std::min(left, left_in_groups(mount / relative, mount,
                                           {"memory.max", "memory.current", "inactive_file"}));
    if (("," + controllers + ",").find(",memory,") != std::string::npos)
      left = std::min(left, left_in_groups(mount / "memory" / relative, mount / "memory",
                                           {"memory.limit_in_bytes", "memory.usage_in_bytes",
                                            "total_inactive_file"}));
  }
  return left;
}

}  // namespace

int64_t available_memory(const std::string& root) {
  const int64_t kibibytes = number_behind("MemAvailable:", root + "/proc/meminfo", kUnlimited);
  const int64_t system = kibibytes > kUnlimited / 1024 ? kUnlimited : kibibytes * 1024;
  return std::min(system, left_in_control_groups(root));
}

}  // namespace orepa::cpu
