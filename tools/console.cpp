#include "console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "flags.h"

namespace orepa::tool {
namespace {

constexpr const char *kEraseLine = "\r\033[K", *kYellow = "\033[33m", *kNoColor = "\033[0m";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// As much of a line as the terminal has room for: what is wrapped cannot be rewritten.
std::string fitting(const std::string& line) {
  winsize size{};
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return known ? line.substr(0, size.ws_col - 1) : line;
}

}  // namespace

Console::Console(const std::string& progress, bool silent) : silent_(silent) {
  const bool terminal = isatty(STDOUT_FILENO) != 0 && environment("TERM") != "dumb";
  choice("progress", progress, {"auto", "live", "plain", "none"});
  live_ = progress == "live" || (progress == "auto" && terminal);
  progress_ = progress != "none";
  color_ = terminal && environment("NO_COLOR").empty();
}

void Console::line(const std::string& line) {
  print(line);
  log(line);
}

void Console::warn(const std::string& line) {
  print(line, kYellow);
  log(line);
}

void Console::status(const std::string& line) {
  std::cout << kEraseLine << fitting(line) << std::flush;
  status_ = true;
}

void Console::log(const std::string& line) {
  if (const std::string problem = log_.add(line); !problem.empty()) print(problem);
}

void Console::print(const std::string& line, const char* color) {
  if (silent_) return;
  if (status_) std::cout << kEraseLine;
  status_ = false;
  const bool colored = color_ && *color != '\0';
  std::cout << (colored ? color : "") << line << (colored ? kNoColor : "") << std::endl;
}

}  // namespace orepa::tool
