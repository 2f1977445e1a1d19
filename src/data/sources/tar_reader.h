// TarReader: what is in a tar file, one member after another: POSIX's formats (ustar, pax) and
// GNU's long names.
#pragma once
#include <cstdint>
#include <string>

#include "data/sources/random_file.h"

namespace orepa {

class TarReader {
 public:
  struct Member {
    enum class Kind { kFile, kLink, kSparse, kOther } kind = Kind::kOther;
    std::string name;
    int64_t offset = 0, size = 0;  // of its bytes, in the file
  };

  // `file` has to stay.
  explicit TarReader(const RandomFile& file) : file_(file) {}

  // The next member; false behind the last one. Throws Error that names file and offset where the
  // file is no tar file, is damaged or cut short.
  bool next(Member& member);

 private:
  struct Header;
  // What comes before a member and overrides its header.
  struct Extension {
    std::string name;
    int64_t size = -1;
    bool sparse = false;
  };

  bool read_header(Header& header);
  void read_pax(const std::string& records, Extension& extension) const;
  std::string content(int64_t offset, int64_t size) const;
  template <class... Parts>
  void require_here(bool condition, const Parts&... parts) const;

  const RandomFile& file_;
  int64_t offset_ = 0;
};

}  // namespace orepa
