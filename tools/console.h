// Console: lines on the standard output and, on a terminal, one below them that is rewritten.
#pragma once
#include <string>

#include "line_file.h"

namespace orepa::tool {

class Console {
 public:
  // What --progress says: auto (live on a terminal, else plain), live, plain or none. Throws
  // UsageError where it is something else. `silent`: nothing is printed.
  explicit Console(const std::string& progress, bool silent = false);

  bool live() const { return live_; }
  // Whether there are lines of progress at all.
  bool progress() const { return progress_; }

  void line(const std::string& line);
  void warn(const std::string& line);    // in colour, where the terminal and NO_COLOR allow it
  void status(const std::string& line);  // rewrites the one below
  // Every line so far, and from now on, is added to that file.
  void keep_log(const std::string& path) { log_.open(path); }
  // In the log alone.
  void log(const std::string& line);

 private:
  void print(const std::string& line, const char* color = "");

  const bool silent_;
  bool live_, progress_, color_;
  bool status_ = false;  // whether the cursor stands behind one
  LineFile log_;
};

}  // namespace orepa::tool
