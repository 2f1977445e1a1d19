// BlobFile: a .binaryproto, an array of numbers as Caffe keeps one in a file of its own.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace orepa {

struct BlobFile {
  std::vector<int64_t> extents;  // as the file states them, so anything
  std::vector<float> values;
};

// One BlobProto, in its old form (num, channels, height, width) or with a shape. Nothing where the
// bytes are none.
std::optional<BlobFile> parse_blob_file(const std::string& bytes);

}  // namespace orepa
