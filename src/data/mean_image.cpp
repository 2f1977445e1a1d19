#include "data/mean_image.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <cstring>

#include "core/input_file.h"
#include "orepa/error.h"

namespace orepa {
namespace {

using google::protobuf::internal::WireFormatLite;

// Fields of BlobProto and BlobShape.
enum Field { kNum = 1, kChannels = 2, kHeight = 3, kWidth = 4, kData = 5, kShape = 7 };
constexpr int kDim = 1;

// What is read so far: extents of either form.
struct Blob {
  int64_t old_form[4] = {0, 0, 0, 0};
  std::vector<int64_t> shape;
  std::vector<float> data;

  std::vector<int64_t> extents() const {
    if (!shape.empty()) return shape;
    return {std::begin(old_form), std::end(old_form)};
  }
};

class Reader {
 public:
  explicit Reader(const std::string& bytes)
      : stream_(reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<int>(bytes.size())) {}

  bool read(Blob& blob) {
    while (const uint32_t tag = stream_.ReadTag()) {
      const int field = WireFormatLite::GetTagFieldNumber(tag);
      const bool packed =
          WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
      const bool read = field == kShape && packed  ? within([&] { return read_shape(blob.shape); })
                        : field == kData && packed ? within([&] { return read_float(blob.data); })
                        : field == kData           ? read_float(blob.data)
                        : field >= kNum && field <= kWidth
                            ? read_varint(blob.old_form[field - 1])
                            : WireFormatLite::SkipField(&stream_, tag);
      if (!read) return false;
    }
    return stream_.ConsumedEntireMessage();
  }

 private:
  // read() until the end of a part that starts with its length.
  template <class Read>
  bool within(Read read) {
    uint32_t length = 0;
    if (!stream_.ReadVarint32(&length)) return false;
    const auto limit = stream_.PushLimit(static_cast<int>(length));
    while (stream_.BytesUntilLimit() > 0)
      if (!read()) return false;
    stream_.PopLimit(limit);
    return true;
  }
  bool read_shape(std::vector<int64_t>& shape) {
    const uint32_t tag = stream_.ReadTag();
    if (WireFormatLite::GetTagFieldNumber(tag) != kDim) return false;
    if (WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_VARINT)
      return read_dim(shape);
    return within([&] { return read_dim(shape); });
  }
  bool read_dim(std::vector<int64_t>& shape) {
    shape.push_back(0);
    return read_varint(shape.back());
  }
  bool read_varint(int64_t& value) {
    uint64_t bits = 0;
    if (!stream_.ReadVarint64(&bits)) return false;
    value = static_cast<int64_t>(bits);
    return true;
  }
  bool read_float(std::vector<float>& data) {
    uint32_t bits = 0;
    if (!stream_.ReadLittleEndian32(&bits)) return false;
    data.push_back(0);
    std::memcpy(&data.back(), &bits, sizeof bits);
    return true;
  }

  google::protobuf::io::CodedInputStream stream_;
};

}  // namespace

MeanImage read_mean_image(const std::string& path) {
  const std::string bytes = read_file(path);
  constexpr size_t kMost = size_t{1} << 30;
  require(bytes.size() <= kMost, path, ": has ", bytes.size(), " bytes, too many for a mean image");
  Blob blob;
  require(Reader(bytes).read(blob), path,
          ": is no mean file (.binaryproto, as `orepa_tool dataset mean --output` writes it)");
  std::vector<int64_t> extents = blob.extents();
  if (extents.size() == 4 && extents[0] == 1) extents.erase(extents.begin());
  int64_t count = extents.size() == 3 ? 1 : -1;
  for (const int64_t extent : extents) {
    constexpr int64_t kLongest = 1 << 16;
    count = extent > 0 && extent <= kLongest ? count * extent : -1;
    if (count <= 0 || count > static_cast<int64_t>(bytes.size())) break;
  }
  require(count == static_cast<int64_t>(blob.data.size()), path,
          ": is no image of C x H x W: it has ", blob.data.size(), " numbers");
  return {extents[0], {extents[1], extents[2]}, std::move(blob.data)};
}

}  // namespace orepa
