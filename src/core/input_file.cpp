#include "core/input_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

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

std::string read_file(const std::string& path) {
  require_regular_file(path);
  std::ifstream in(path, std::ios::binary);
  require(in.good(), path, ": cannot be read: ", std::strerror(errno));
  std::ostringstream content;
  content << in.rdbuf();
  require(!in.bad(), path, ": cannot be read: ", std::strerror(errno));
  return content.str();
}

}  // namespace orepa
