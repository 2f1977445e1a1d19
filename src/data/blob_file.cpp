#include "data/blob_file.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <cstring>
#include <limits>

namespace orepa {
namespace {

using google::protobuf::internal::WireFormatLite;

// Fields of BlobProto and BlobShape.
enum Field { kNum = 1, kChannels = 2, kHeight = 3, kWidth = 4, kData = 5, kShape = 7 };
constexpr int kDim = 1;

constexpr size_t kMostBytes = std::numeric_limits<int>::max();  // that the stream counts

// What is read so far: extents of either form.
struct Blob {
  int64_t old_form[4] = {0, 0, 0, 0};
  std::vector<int64_t> shape;
  std::vector<float> data;
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

std::optional<BlobFile> parse_blob_file(const std::string& bytes) {
  Blob blob;
  if (bytes.size() > kMostBytes || !Reader(bytes).read(blob)) return std::nullopt;
  if (blob.shape.empty()) blob.shape = {std::begin(blob.old_form), std::end(blob.old_form)};
  return BlobFile{std::move(blob.shape), std::move(blob.data)};
}

}  // namespace orepa
