#include "core/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/temporary_file.h"
#include "orepa/error.h"

namespace orepa {
namespace {

// A file that is open for writing. `path` is what errors name.
class OutputFile {
 public:
  OutputFile(const std::string& file, int flags, const std::string& path)
      : path_(path), file_(::open(file.c_str(), O_WRONLY | O_CLOEXEC | flags, 0666)) {
    require(file_ >= 0, path, ": cannot be written: ", std::strerror(errno));
  }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile() {
    if (file_ >= 0) ::close(file_);
  }

  void write(const std::string& content) const {
    size_t written = 0;
    while (written < content.size()) {
      const ssize_t bytes = ::write(file_, content.data() + written, content.size() - written);
      require(bytes >= 0 || errno == EINTR, path_, ": cannot be written: ", std::strerror(errno));
      if (bytes > 0) written += static_cast<size_t>(bytes);
    }
  }

  // Some file systems say only here that the disk is full.
  void close() {
    const int result = ::close(std::exchange(file_, -1));
    require(result == 0, path_, ": cannot be written: ", std::strerror(errno));
  }

 private:
  const std::string path_;
  int file_;
};

// The file that a path names where links lead to none that is there.
std::filesystem::path end_of_links(std::filesystem::path path) {
  std::error_code none;
  while (std::filesystem::is_symlink(std::filesystem::symlink_status(path, none)))
    path = path.parent_path() / std::filesystem::read_symlink(path);
  return path;
}

}  // namespace

void flush_to_disk(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  require(file >= 0, path, ": cannot be opened: ", std::strerror(errno));
  const int result = ::fsync(file);
  const int reason = errno;
  ::close(file);
  // Some file systems cannot flush a folder; then there is nothing more to do.
  require(result == 0 || reason == EINVAL, path, ": cannot be flushed: ", std::strerror(reason));
}

std::string folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

Destination destination_of(const std::string& path) {
  const std::string cannot = path + ": cannot be written: ";
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    require(!S_ISDIR(status.st_mode), cannot, "it is a folder");
    require(!S_ISSOCK(status.st_mode), cannot, "it is a socket");
    require(!S_ISBLK(status.st_mode), cannot, "it is a disk");
    if (!S_ISREG(status.st_mode)) return {path, true};
    if (!std::filesystem::is_symlink(path)) return {path, false};
    std::error_code reason;
    const std::filesystem::path target = std::filesystem::canonical(path, reason);
    require(!reason, cannot, reason.message());
    return {target.string(), false};
  }
  // No file there, or no folder, which is said better below.
  require(errno == ENOENT || errno == ENOTDIR, cannot, std::strerror(errno));
  const std::string target = end_of_links(path).string(), folder = folder_of(target);
  require(std::filesystem::is_directory(folder), cannot, "there is no folder ", folder);
  return {target, false};
}

void write_atomically(const std::string& path, const std::string& content) {
  const Destination destination = destination_of(path);
  if (destination.stream) {
    OutputFile stream(path, 0, path);
    stream.write(content);
    return stream.close();
  }
  const TemporaryFile temporary(temporary_name(destination.path));
  OutputFile file(temporary.path(), O_CREAT | O_TRUNC | O_NOFOLLOW, path);
  file.write(content);
  file.close();
  flush_to_disk(temporary.path());
  const bool renamed = std::rename(temporary.path().c_str(), destination.path.c_str()) == 0;
  require(renamed, path, ": cannot be written: ", std::strerror(errno));
  flush_to_disk(folder_of(destination.path));
}

void link_atomically(const std::string& path, const std::string& target) {
  const std::string cannot = path + ": cannot be made a link to " + target + ": ";
  std::error_code none;
  const auto there = std::filesystem::symlink_status(path, none);
  require(!std::filesystem::exists(there) || std::filesystem::is_symlink(there), cannot,
          "it is no link; move it away");
  const TemporaryFile temporary(temporary_name(path));
  ::unlink(temporary.path().c_str());
  require(::symlink(target.c_str(), temporary.path().c_str()) == 0, cannot, std::strerror(errno));
  const bool renamed = std::rename(temporary.path().c_str(), path.c_str()) == 0;
  require(renamed, cannot, std::strerror(errno));
  flush_to_disk(folder_of(path));
}

}  // namespace orepa
