#include "io/lock_file.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa {
namespace {

TEST(LockFile, HasOneHolder) {
  const std::string path = test_folder() + "lock";
  std::optional<LockFile> first(std::in_place, path, "is held");
  EXPECT_EQ(first->obstacle(), "");
  EXPECT_EQ(error_of([&] { LockFile(path, "is held"); }), path + ": is held");
  first.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(error_of([&] { LockFile(path, "is held"); }), "");
}

TEST(LockFile, IsFreeAfterItsHolderWasKilled) {
  const std::string path = test_folder() + "lock";
  const pid_t child = fork();
  if (child == 0) {
    const LockFile lock(path, "is held");
    _exit(0);  // no destructor runs
  }
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(std::filesystem::exists(path));
  EXPECT_EQ(error_of([&] { LockFile(path, "is held"); }), "");
}

TEST(LockFile, SaysWhyItCannotBeWritten) {
  EXPECT_NE(error_of([] { LockFile("/proc/lock", ""); }).find("/proc/lock: cannot be written"),
            std::string::npos);
  EXPECT_NE(error_of([] { LockFile("/dev/null", ""); }).find("no regular file"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

}  // namespace
}  // namespace orepa
