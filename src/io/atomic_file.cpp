#include "io/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "orepa/error.h"

namespace orepa {
namespace {

void flush_to_disk(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY);
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

}  // namespace

void write_atomically(const std::string& path,
                      const std::function<void(const std::string&)>& write) {
  const std::string folder = folder_of(path);
  require(std::filesystem::is_directory(folder), path, ": cannot be written: there is no folder ",
          folder);
  const std::string temporary = text(path, ".", ::getpid(), ".tmp");
  try {
    write(temporary);
    flush_to_disk(temporary);
    const bool renamed = std::rename(temporary.c_str(), path.c_str()) == 0;
    require(renamed, path, ": cannot be written: ", std::strerror(errno));
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  flush_to_disk(folder);
}

void write_atomically(const std::string& path, const std::string& content) {
  write_atomically(path, [&](const std::string& temporary) {
    std::ofstream out(temporary, std::ios::binary);
    require(out.good(), path, ": cannot be written: ", std::strerror(errno));
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    out.close();
    require(!out.fail(), path, ": cannot be written: ", std::strerror(errno));
  });
}

}  // namespace orepa
