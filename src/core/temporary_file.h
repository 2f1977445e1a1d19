// Files that do not outlive the process: half written ones, and drafts that nobody has accepted.
#pragma once
#include <mutex>
#include <string>

namespace orepa {

// The name of one. The file, if it is still there under that name, is removed with the object, and
// by remove_temporary_files().
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string path);
  TemporaryFile(TemporaryFile&& other) noexcept;
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile();

  const std::string& path() const { return path_; }

 private:
  std::string path_;  // empty where it was moved from
};

// What stands in the names of this process's temporary files and of no other's, on no machine that
// shares their folder: its PID, and a number as 16 hexadecimal digits that it has drawn
// ("12-0f...").
const std::string& process_mark();

// A name beside a path, for what shall be renamed to it: PATH.MARK.tmp.
std::string temporary_name(const std::string& path);

// While one lives, remove_temporary_files() waits: what is done meanwhile belongs together.
std::unique_lock<std::mutex> hold_temporary_files();

// For a process that ends by a signal, from any thread: removes them all. Whoever wants another one
// afterwards waits for ever, so the caller has to end the process.
void remove_temporary_files();

}  // namespace orepa
