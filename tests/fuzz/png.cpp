// Bytes read as a view and a PNG file, whose checksums are made right first: they would hide all
// else.
#include <zlib.h>

#include "tests/fuzz/image.h"

namespace {

// A chunk is the length of its content, its kind, the content, and the checksum of these two.
void repair_checksums(std::vector<unsigned char>& file) {
  const auto number = [&](size_t at) {
    return static_cast<size_t>(file[at]) << 24 | file[at + 1] << 16 | file[at + 2] << 8 |
           file[at + 3];
  };
  for (size_t at = 8; at + 12 <= file.size();) {
    const size_t length = number(at);
    if (length > file.size() - at - 12) return;
    uLong sum = crc32(0, file.data() + at + 4, static_cast<uInt>(length + 4));
    for (size_t i = 4; i-- > 0; sum >>= 8)
      file[at + 8 + length + i] = static_cast<unsigned char>(sum);
    at += 12 + length;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace orepa::fuzz;
  if (size < kViewBytes) return 0;
  std::vector<unsigned char> file(data + kViewBytes, data + size);
  repair_checksums(file);
  decode(data, file);
  return 0;
}
