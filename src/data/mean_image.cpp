#include "data/mean_image.h"

#include <limits>

#include "core/input_file.h"
#include "data/blob_file.h"
#include "orepa/error.h"

namespace orepa {

MeanImage read_mean_image(const std::string& path) {
  const std::string bytes = read_file(path);
  constexpr size_t kMost = std::numeric_limits<int32_t>::max();  // of any message
  require(bytes.size() <= kMost, path, ": has ", bytes.size(), " bytes, too many for a mean image");
  std::optional<BlobFile> blob = parse_blob_file(bytes);
  require(blob.has_value(), path,
          ": is no mean file (.binaryproto, as `orepa_tool dataset mean --output` writes it)");
  std::vector<int64_t> extents = blob->extents;
  if (extents.size() == 4 && extents[0] == 1) extents.erase(extents.begin());
  int64_t count = extents.size() == 3 ? 1 : -1;
  for (const int64_t extent : extents) {
    constexpr int64_t kLongest = 1 << 16;
    count = extent > 0 && extent <= kLongest ? count * extent : -1;
    if (count <= 0 || count > static_cast<int64_t>(bytes.size())) break;
  }
  require(count == static_cast<int64_t>(blob->values.size()), path,
          ": is no image of C x H x W: it has ", blob->values.size(), " numbers");
  return {extents[0], {extents[1], extents[2]}, std::move(blob->values)};
}

}  // namespace orepa
