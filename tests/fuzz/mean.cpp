// Bytes read as a mean file: what it holds is what protobuf itself reads of it.
#include <google/protobuf/stubs/logging.h>

#include <cstdlib>
#include <cstring>

#include "data/mean_image.h"
#include "orepa.pb.h"
#include "tests/fuzz/support.h"

using namespace orepa;

namespace {

void require_equal(const MeanImage& image, const BlobProto& blob) {
  const Extent extent = image.extent;
  if (image.channels * extent.height * extent.width != static_cast<int64_t>(image.values.size()) ||
      blob.data_size() != static_cast<int>(image.values.size()) ||
      std::memcmp(blob.data().data(), image.values.data(), image.values.size() * sizeof(float)) !=
          0)
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const google::protobuf::LogSilencer silence;
  const std::string path = fuzz::folder() + "mean.binaryproto";
  fuzz::write_file(path, data, size);
  BlobProto blob;
  const bool is_blob = blob.ParseFromArray(data, static_cast<int>(size));
  fuzz::refuses_or_does(path, [&] {
    const MeanImage image = read_mean_image(path);
    if (is_blob) require_equal(image, blob);
  });
  return 0;
}
