// Bytes read as an index of samples: as they are, and with the checksum that they should have.
#include "data/sources/sample_index.h"

#include <zlib.h>

#include <cstdlib>

#include "tests/fuzz/support.h"

using namespace orepa;

namespace {

std::string with_checksum(std::string bytes) {
  const auto sum =
      static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
  return bytes.append(reinterpret_cast<const char*>(&sum), sizeof sum);
}

// What is one is written as the same bytes.
void read(const std::string& bytes) {
  const std::optional<SampleIndex> index = parse_index(bytes, "source");
  if (!index) return;
  for (int64_t i = 0; i < index->names.size(); ++i)
    if (index->names[i].size() > bytes.size()) std::abort();
  if (index_bytes("source", *index) != bytes) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  read(with_checksum(bytes));
  return 0;
}
