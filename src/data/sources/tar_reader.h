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
  // The bytes of a member. Throws Error where they are more than a mebibyte.
  std::string content(const Member& member) { return content(member.offset, member.size); }

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
  std::string content(int64_t offset, int64_t size);
  void read(int64_t offset, int64_t bytes, void* to);
  template <class... Parts>
  void require_here(bool condition, const Parts&... parts) const;

  const RandomFile& file_;
  int64_t offset_ = 0;
  // Headers and small members lie close together: one read for several.
  std::string window_;
  int64_t window_start_ = 0;
};

}  // namespace orepa
