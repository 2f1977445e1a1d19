#include "backend/cpu/available_memory.h"

#include <limits>

#include "tests/files.h"

namespace orepa::cpu {
namespace {

constexpr int64_t kMebibyte = int64_t{1} << 20;

// A system with 800 MiB available, as its files tell.
class AvailableMemory : public testing::Test {
 protected:
  AvailableMemory() {
    file(
        "proc/meminfo",
        "MemTotal:  1048576 kB\nMemFree:  4096 kB\nMemAvailable:  819200 kB\nHugePages_Total: 0\n");
  }
  void file(const std::string& path, const std::string& content) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    write_file(root_ + path, content);
  }
  void group(const std::string& folder, const std::string& limit, int64_t used,
             int64_t reclaimable) {
    file(folder + "/memory.max", limit + "\n");
    file(folder + "/memory.current", std::to_string(used * kMebibyte) + "\n");
    file(folder + "/memory.stat",
         "anon 1\ninactive_file " + std::to_string(reclaimable * kMebibyte) + "\nfile 7\n");
  }
  int64_t mebibytes() const { return available_memory(root_) / kMebibyte; }

  const std::string root_ = test_folder();
};

TEST_F(AvailableMemory, IsWhatTheSystemHas) {
  EXPECT_EQ(mebibytes(), 800);
  file("proc/self/cgroup", "0::/\n");
  EXPECT_EQ(mebibytes(), 800);
  EXPECT_EQ(available_memory(root_ + "none/"), std::numeric_limits<int64_t>::max());
}

TEST_F(AvailableMemory, IsWhatTheControlGroupLeaves) {
  file("proc/self/cgroup", "0::/user/job\n");
  group("sys/fs/cgroup/user/job", std::to_string(500 * kMebibyte), 300, 40);
  EXPECT_EQ(mebibytes(), 240);
  group("sys/fs/cgroup/user/job", "max", 300, 40);
  EXPECT_EQ(mebibytes(), 800);
  group("sys/fs/cgroup/user/job", std::to_string(500 * kMebibyte), 600, 40);
  EXPECT_EQ(mebibytes(), 0);
}

TEST_F(AvailableMemory, IsWhatTheGroupsAboveLeave) {
  file("proc/self/cgroup", "0::/user/job\n");
  group("sys/fs/cgroup/user/job", std::to_string(700 * kMebibyte), 100, 0);
  group("sys/fs/cgroup/user", std::to_string(400 * kMebibyte), 250, 0);
  EXPECT_EQ(mebibytes(), 150);
}

// Inside of a container the group's own folder is mounted, and its path leads nowhere.
TEST_F(AvailableMemory, IsWhatTheContainersGroupLeaves) {
  file("proc/self/cgroup", "0::/outside/container\n");
  group("sys/fs/cgroup", std::to_string(256 * kMebibyte), 56, 0);
  EXPECT_EQ(mebibytes(), 200);
}

TEST_F(AvailableMemory, KnowsTheFirstVersionOfControlGroups) {
  file("proc/self/cgroup", "11:cpu,cpuacct:/job\n7:memory:/job\n");
  file("sys/fs/cgroup/memory/job/memory.limit_in_bytes", std::to_string(300 * kMebibyte));
  file("sys/fs/cgroup/memory/job/memory.usage_in_bytes", std::to_string(120 * kMebibyte));
  file("sys/fs/cgroup/memory/job/memory.stat",
       "inactive_file 5\ntotal_inactive_file " + std::to_string(20 * kMebibyte) + "\n");
  EXPECT_EQ(mebibytes(), 200);
}

}  // namespace
}  // namespace orepa::cpu
