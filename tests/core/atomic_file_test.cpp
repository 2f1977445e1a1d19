#include "core/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include "core/input_file.h"
#include "core/temporary_file.h"
#include "orepa/error.h"
#include "tests/error_of.h"
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

TEST(AtomicFile, LeavesNothingWhereItCannotBeWritten) {
  const std::string folder = test_folder();
  EXPECT_NE(error_of([&] { write_atomically(folder + "absent/file", "x"); }).find("no folder"),
            std::string::npos);
  EXPECT_NE(error_of([&] { write_atomically(folder, "x"); }).find("is a folder"),
            std::string::npos);
  EXPECT_EQ(files_in(folder), 0);
}

TEST(AtomicFile, ReplacesTheTargetOfALinkAndNotTheLink) {
  const std::string folder = test_folder();
  std::filesystem::create_directory(folder + "store");
  write_file(folder + "store/file", "first");
  std::filesystem::create_symlink("store/file", folder + "link");
  std::filesystem::create_symlink("store/none", folder + "dangling");
  for (const char* link : {"link", "dangling"}) {
    write_atomically(folder + link, "second");
    EXPECT_TRUE(std::filesystem::is_symlink(folder + link));
    EXPECT_EQ(read_file(folder + link), "second");
  }
  EXPECT_EQ(files_in(folder), 3);
  EXPECT_EQ(files_in(folder + "store"), 2);

  std::filesystem::create_symlink("circle", folder + "circle");
  EXPECT_NE(error_of([&] { write_atomically(folder + "circle", "x"); }).find("symbolic links"),
            std::string::npos);
}

TEST(AtomicFile, WritesIntoAFifo) {
  const std::string fifo = test_folder() + "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const std::string content(300000, 'x');  // more than it holds at once
  std::string arrived;
  std::thread reader([&] { arrived = read_all(fifo); });
  write_atomically(fifo, content);
  reader.join();
  EXPECT_EQ(arrived, content);
  EXPECT_TRUE(std::filesystem::is_fifo(fifo));
}

TEST(AtomicFile, WritesIntoADevice) {
  const std::string folder = test_folder();
  std::filesystem::create_symlink("/dev/full", folder + "full");
  for (const std::string& device : {std::string("/dev/full"), folder + "full"})
    EXPECT_NE(error_of([&] { write_atomically(device, "x"); }).find("No space left"),
              std::string::npos);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
  EXPECT_EQ(files_in(folder), 1);
}

TEST(AtomicFile, RefusesASocket) {
  const std::string folder = test_folder();
  const std::string path = folder + "socket";
  sockaddr_un address{AF_UNIX, {}};
  ASSERT_LT(path.size(), sizeof(address.sun_path));
  path.copy(address.sun_path, path.size());
  const int file = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(file, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_NE(error_of([&] { write_atomically(path, "x"); }).find("is a socket"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_socket(path));
  close(file);
}

TEST(TemporaryFile, GoesWithItsObjectOrItsProcess) {
  const std::string folder = test_folder();
  {
    const TemporaryFile file(folder + "file");
    write_file(file.path(), "half");
    EXPECT_EQ(files_in(folder), 1);
  }
  EXPECT_EQ(files_in(folder), 0);
  const pid_t child = fork();
  if (child == 0) {
    const TemporaryFile file(folder + "other");
    write_file(file.path(), "half");
    remove_temporary_files();
    _exit(files_in(folder));  // no destructor runs
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

// As on two machines, where PIDs may be the same: a process begun anew draws another number.
TEST(TemporaryFile, HasANameOfItsProcessAlone) {
  const auto number = [](const std::string& mark) { return mark.substr(mark.find('-')); };
  ASSERT_TRUE(process_mark().starts_with(text(getpid(), "-"))) << process_mark();
  EXPECT_TRUE(temporary_name("a/b").starts_with(text("a/b.", process_mark(), ".")))
      << temporary_name("a/b");
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // runs this test in a process that is no fork
  constexpr char kParent[] = "OREPA_TEST_MARK";
  setenv(kParent, process_mark().c_str(), 0);
  EXPECT_EXIT(_exit(number(process_mark()) == number(std::getenv(kParent))),
              testing::ExitedWithCode(0), "");
  unsetenv(kParent);
}

}  // namespace
}  // namespace orepa
