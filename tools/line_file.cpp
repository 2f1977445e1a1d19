#include "line_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <utility>

#include "core/input_file.h"
#include "orepa/error.h"

namespace orepa::tool {
namespace {

// What a line has that is one of JSON's objects, and whole.
bool is_object(const std::string& line) { return line.starts_with('{') && line.ends_with('}'); }

}  // namespace

LineFile::~LineFile() {
  if (file_ >= 0) ::close(file_);
}

void LineFile::open(const std::string& path) {
  if (file_ >= 0) ::close(file_);
  path_ = path;
  file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  require(file_ >= 0, path, ": cannot be written: ", std::strerror(errno));
}

std::string LineFile::add(const std::string& line) {
  waiting_ += line + '\n';
  if (file_ < 0) return "";
  const off_t end = ::lseek(file_, 0, SEEK_END);
  const ssize_t written = ::write(file_, waiting_.data(), waiting_.size());
  const std::string reason = written < 0 ? std::strerror(errno) : "there is no room";
  const bool whole = written == static_cast<ssize_t>(waiting_.size());
  if (whole) {
    waiting_.clear();
    return std::exchange(failing_, false) ? path_ + ": is written again; no line is missing" : "";
  }
  // No half line stays, where that can be helped.
  if (written > 0 && ::ftruncate(file_, end) != 0) waiting_.erase(0, static_cast<size_t>(written));
  if (std::exchange(failing_, true)) return "";
  return text(path_, ": cannot be written: ", reason,
              "; the training goes on, and the lines wait in memory");
}

double number_of(const std::string& line, const std::string& key) {
  const std::string name = '"' + key + "\":";
  const size_t at = line.find(name);
  if (at == std::string::npos) return -1;
  const char* start = line.c_str() + at + name.size();
  char* end = nullptr;
  const double number = std::strtod(start, &end);
  return end == start ? -1 : number;
}

std::string lines_until(const std::string& path, int64_t iteration) {
  if (!std::filesystem::exists(path)) return "";
  std::istringstream in(read_file(path));
  std::string kept;
  for (std::string line; std::getline(in, line);) {
    const double at = number_of(line, "iteration");
    if (is_object(line) && at >= 0 && at <= static_cast<double>(iteration)) kept += line + '\n';
  }
  return kept;
}

}  // namespace orepa::tool
