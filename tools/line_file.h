// Files to which a run adds a line now and then.
#pragma once
#include <cstdint>
#include <string>

namespace orepa::tool {

// A file that grows by whole lines. One that cannot be written (the disk is full) waits in memory
// for the next.
class LineFile {
 public:
  LineFile() = default;
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;
  ~LineFile();

  // Lines go to the end of that file from now on, those that came before too. Throws Error where it
  // cannot be opened.
  void open(const std::string& path);
  // Returns what the user should know: that it cannot be written, once, and that it is again; else
  // nothing.
  std::string add(const std::string& line);

 private:
  std::string path_, waiting_;
  int file_ = -1;
  bool failing_ = false;
};

// The number behind "key": in a line of JSON; -1 where there is none.
double number_of(const std::string& line, const std::string& key);

// What the file would be had the run ended with this iteration: its lines up to there, none that is
// only half written. Nothing where there is no file.
std::string lines_until(const std::string& path, int64_t iteration);

}  // namespace orepa::tool
