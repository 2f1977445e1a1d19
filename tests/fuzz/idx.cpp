// Bytes read as a pair of IDX files: the first says which are compressed, the next two how many are
// the labels'.
#include <zlib.h>

#include <algorithm>

#include "orepa/data_source.h"
#include "tests/fuzz/support.h"

using namespace orepa;

namespace {

void write(const std::string& path, const uint8_t* bytes, size_t size, bool compressed) {
  if (!compressed) return fuzz::write_file(path, bytes, size);
  gzFile file = gzopen(path.c_str(), "wb1");
  gzwrite(file, bytes, static_cast<unsigned>(size));
  gzclose(file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kHead = 3;
  constexpr int64_t kMostSamples = 8;
  if (size < kHead) return 0;
  const size_t labels_size = std::min<size_t>(data[1] << 8 | data[2], size - kHead);
  const std::string images = fuzz::folder() + "t-images-idx3-ubyte";
  const std::string labels = fuzz::folder() + "t-labels-idx1-ubyte";
  write(labels, data + kHead, labels_size, (data[0] & 1) != 0);
  write(images, data + kHead + labels_size, size - kHead - labels_size, (data[0] & 2) != 0);
  for (const std::string& file : {labels, std::string()})
    fuzz::refuses_or_does(fuzz::folder(), [&] {
      const std::unique_ptr<DataSource> source = open_idx(images, file);
      Record record;
      for (int64_t i = 0; i < std::min(source->size(), kMostSamples); ++i) source->read(i, record);
    });
  return 0;
}
