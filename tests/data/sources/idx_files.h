// Small IDX files for tests.
#pragma once
#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

namespace orepa {

// A header and its numbers.
inline std::string idx(const std::vector<int64_t>& extents, const std::string& bytes,
                       char type = 8) {
  std::string content{0, 0, type, static_cast<char>(extents.size())};
  for (const int64_t extent : extents)
    for (int shift = 24; shift >= 0; shift -= 8) content += static_cast<char>(extent >> shift);
  return content + bytes;
}

inline void write_gzipped(const std::string& path, const std::string& content) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  gzclose(file);
}

}  // namespace orepa
