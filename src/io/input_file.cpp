#include "io/input_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "orepa/error.h"

namespace orepa {
namespace {

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace

void require_regular_file(const std::string& path) {
  struct stat status {};
  bool readable = ::stat(path.c_str(), &status) == 0;
  if (readable && S_ISREG(status.st_mode)) readable = ::access(path.c_str(), R_OK) == 0;
  require(readable, path, ": cannot be read: ", std::strerror(errno));
  require(S_ISREG(status.st_mode), path, ": is ", kind_of(status.st_mode),
          ", not a file; write what it gives into a file and name that");
}

}  // namespace orepa
