#include "io/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "io/positions.h"
#include "orepa/error.h"
#include "tests/files.h"

namespace orepa {
namespace {

// While it lives, no file can grow beyond some bytes: to a program that writes, a full disk.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

int files_in(const std::string& folder) {
  return static_cast<int>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST(AtomicFile, ReplacesAFile) {
  const std::string folder = test_folder(), path = folder + "file";
  write_atomically(path, "first");
  write_atomically(path, "second");
  EXPECT_EQ(read_file(path), "second");
  EXPECT_EQ(files_in(folder), 1);
}

TEST(AtomicFile, LeavesTheOldOneWhereTheDiskIsFull) {
  const std::string folder = test_folder(), path = folder + "file";
  write_atomically(path, "first");
  try {
    const FullDisk disk(1000);
    write_atomically(path, std::string(100000, 'x'));
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("cannot be written"), std::string::npos)
        << error.what();
  }
  EXPECT_EQ(read_file(path), "first");
  EXPECT_EQ(files_in(folder), 1);
}

TEST(AtomicFile, LeavesNothingWhereWritingFails) {
  const std::string folder = test_folder();
  EXPECT_THROW(write_atomically(folder + "file",
                                [](const std::string& temporary) {
                                  write_file(temporary, "half");
                                  fail("no more");
                                }),
               Error);
  EXPECT_THROW(write_atomically(folder + "absent/file", "content"), Error);
  EXPECT_THROW(write_atomically(folder, "content"), Error);  // a folder is there already
  EXPECT_EQ(files_in(folder), 0);
}

}  // namespace
}  // namespace orepa
