#include "data/sources/random_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "orepa/error.h"

namespace orepa {

// O_NONBLOCK: opening a pipe waits for nobody. It changes nothing about a regular file.
RandomFile::RandomFile(const std::string& path)
    : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  require(file_ >= 0, path, ": cannot be read: ", std::strerror(errno));
  struct stat status {};
  if (::fstat(file_, &status) == 0 && S_ISREG(status.st_mode)) {
    size_ = status.st_size;
    return;
  }
  ::close(file_);
  fail(path, ": is no regular file");
}

RandomFile::RandomFile(RandomFile&& other) noexcept
    : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)), size_(other.size_) {}

RandomFile::~RandomFile() {
  if (file_ >= 0) ::close(file_);
}

void RandomFile::read(int64_t offset, int64_t bytes, void* to) const {
  auto* next = static_cast<unsigned char*>(to);
  while (bytes > 0) {
    const ssize_t got = ::pread(file_, next, static_cast<size_t>(bytes), offset);
    if (got < 0 && errno == EINTR) continue;
    require(got >= 0, path_, ": cannot be read at offset ", offset, ": ", std::strerror(errno));
    require(got > 0, path_, ": is cut short: it ends at offset ", offset, ", where ", bytes,
            " more bytes were expected");
    next += got;
    offset += got;
    bytes -= got;
  }
}

void read_bytes(const std::string& path, std::vector<unsigned char>& bytes) {
  const RandomFile file(path);
  bytes.resize(static_cast<size_t>(file.size()));
  file.read(0, file.size(), bytes.data());
}

}  // namespace orepa
