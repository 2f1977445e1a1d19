// A file that only one process holds at a time. The kernel lets go of it when the process ends, in
// whatever way; the file itself is removed with the object.
#pragma once
#include <string>

namespace orepa {

class LockFile {
 public:
  // Throws Error where another process, or another LockFile, holds it, and where it cannot be
  // written, which is also how one finds out whether files can be written in its folder.
  LockFile(const std::string& path, const std::string& held_by_another);
  LockFile(LockFile&& other) noexcept;
  LockFile& operator=(LockFile&&) = delete;
  ~LockFile();

  // Empty, or why the file system cannot lock it: then nobody else is kept out.
  const std::string& obstacle() const { return obstacle_; }

 private:
  std::string path_, obstacle_;
  int file_ = -1;
};

}  // namespace orepa
