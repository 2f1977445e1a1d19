#include "data/sources/tar_writer.h"

#include <cstdio>
#include <cstring>
#include <numeric>

#include "orepa/error.h"

namespace orepa {
namespace {

constexpr size_t kBlock = 512;

}  // namespace

// Owner, group and time are 0, so that the same content is the same file.
void add_tar_member(std::string& tar, const std::string& name, const std::string& content) {
  constexpr size_t kMostOfName = 100;
  constexpr size_t kMostBytes = (size_t{1} << 33) - 1;  // eleven octal digits
  require(name.size() <= kMostOfName && content.size() <= kMostBytes, name,
          ": does not fit into a tar file: its name has ", name.size(), " bytes, its content ",
          content.size());
  char header[kBlock] = {};
  std::memcpy(header, name.data(), name.size());
  std::memcpy(header + 100,
              "0000644\0"
              "0000000\0"
              "0000000",
              24);
  std::snprintf(header + 124, 12, "%011zo", content.size());
  std::memcpy(header + 136, "00000000000", 12);
  std::memset(header + 148, ' ', 8);  // of the checksum, while it is taken
  header[156] = '0';
  std::memcpy(header + 257,
              "ustar\0"
              "00",
              8);
  const auto* bytes = reinterpret_cast<const unsigned char*>(header);
  std::snprintf(header + 148, 8, "%06o", std::accumulate(bytes, bytes + kBlock, 0U));
  tar.append(header, kBlock);
  tar += content;
  tar.append((kBlock - content.size() % kBlock) % kBlock, '\0');
}

void end_tar(std::string& tar) { tar.append(2 * kBlock, '\0'); }

}  // namespace orepa
