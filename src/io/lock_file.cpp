#include "io/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "orepa/error.h"

namespace orepa {
namespace {

bool is_regular(int file) {
  struct stat status {};
  return ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
}

// Whether the path still names the open file: who held it before may have removed it.
bool names(const std::string& path, int file) {
  struct stat there {
  }, open{};
  return ::stat(path.c_str(), &there) == 0 && ::fstat(file, &open) == 0 &&
         there.st_dev == open.st_dev && there.st_ino == open.st_ino;
}

}  // namespace

LockFile::LockFile(const std::string& path, const std::string& held_by_another) : path_(path) {
  for (;;) {
    // It is removed later: it must be a file of its own, neither a device nor a link to another.
    file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    require(file_ >= 0, path, ": cannot be written: ", std::strerror(errno));
    if (!is_regular(file_)) {
      ::close(file_);
      fail(path, ": cannot be written: it is no regular file");
    }
    const bool locked = ::flock(file_, LOCK_EX | LOCK_NB) == 0;
    const int reason = errno;
    if (!locked && reason == EWOULDBLOCK) {
      ::close(file_);
      fail(path, ": ", held_by_another);
    }
    if (!locked) obstacle_ = std::strerror(reason);
    if (!locked || names(path, file_)) break;
    ::close(file_);
  }
  const std::string content = text(::getpid(), '\n');
  const bool written =
      ::ftruncate(file_, 0) == 0 &&
      ::write(file_, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
      ::fsync(file_) == 0;
  const int reason = errno;
  if (written) return;
  ::unlink(path.c_str());
  ::close(file_);
  fail(path, ": cannot be written: ", std::strerror(reason));
}

LockFile::LockFile(LockFile&& other) noexcept
    : path_(std::move(other.path_)),
      obstacle_(std::move(other.obstacle_)),
      file_(std::exchange(other.file_, -1)) {}

LockFile::~LockFile() {
  if (file_ < 0) return;
  ::unlink(path_.c_str());
  ::close(file_);
}

}  // namespace orepa
