// Bytes read as a tar file: as they are, and with the checksums that its headers should have.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "data/sources/sources.h"
#include "tests/fuzz/support.h"

using namespace orepa;

namespace {

// Every block that does not look like zeros may be a header.
std::string with_checksums(std::string bytes) {
  constexpr size_t kBlock = 512, kChecksum = 148, kSize = 8;
  for (size_t start = 0; start + kBlock <= bytes.size(); start += kBlock) {
    char* block = bytes.data() + start;
    std::memset(block + kChecksum, ' ', kSize);
    unsigned sum = 0;
    for (size_t i = 0; i < kBlock; ++i) sum += static_cast<unsigned char>(block[i]);
    if (sum == ' ' * kSize)
      std::memset(block + kChecksum, 0, kSize);
    else
      std::snprintf(block + kChecksum, kSize, "%06o", sum);
  }
  return bytes;
}

void read(const std::string& bytes) {
  const std::string path = fuzz::folder() + "t.tar", index = fuzz::folder() + "index";
  fuzz::write_file(path, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  for (const bool labels : {true, false})
    fuzz::refuses_or_does(path, [&] {
      const std::unique_ptr<DataSource> source = open_tar(path, labels ? "" : index, labels);
      Record record;
      for (int64_t i = 0; i < source->size(); ++i) source->read(i, record);
      const std::unique_ptr<DataSource> again = open_tar(path, index, labels);
      if (again->size() != source->size()) std::abort();
    });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  read(with_checksums(bytes));
  return 0;
}
