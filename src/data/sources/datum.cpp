#include "data/sources/datum.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <bit>
#include <limits>

#include "orepa/error.h"

namespace orepa {
namespace {

using google::protobuf::internal::WireFormatLite;
using Bytes = std::span<const unsigned char>;

static_assert(std::endian::native == std::endian::little, "numbers are used as they are stored");

struct Datum {
  int32_t channels = 0, height = 0, width = 0, label = 0;
  Bytes data, numbers;
  bool encoded = false;
};

class DatumReader {
 public:
  // `buffer` takes numbers that lie apart.
  DatumReader(Bytes value, std::vector<unsigned char>& buffer)
      : value_(value), in_(value.data(), static_cast<int>(value.size())), buffer_(buffer) {}

  // Whether `value` is a Datum.
  bool read(Datum& datum) {
    while (const uint32_t tag = in_.ReadTag())
      if (!read_field(tag, datum)) return false;
    return in_.ConsumedEntireMessage();
  }

 private:
  static constexpr uint32_t tag_of(int field, WireFormatLite::WireType type) {
    return WireFormatLite::MakeTag(field, type);
  }

  // Fields of another wire type than theirs are unknown ones, as to protobuf itself.
  bool read_field(uint32_t tag, Datum& datum) {
    constexpr auto kVarint = WireFormatLite::WIRETYPE_VARINT;
    constexpr auto kBytes = WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
    Bytes bytes;
    switch (tag) {
      case tag_of(1, kVarint):
        return read_integer(datum.channels);
      case tag_of(2, kVarint):
        return read_integer(datum.height);
      case tag_of(3, kVarint):
        return read_integer(datum.width);
      case tag_of(4, kBytes):
        return read_bytes(datum.data);
      case tag_of(5, kVarint):
        return read_integer(datum.label);
      case tag_of(6, kBytes):
        return read_bytes(bytes) && add_numbers(bytes, datum);
      case tag_of(6, WireFormatLite::WIRETYPE_FIXED32):
        return take(sizeof(float), bytes) && add_numbers(bytes, datum);
      case tag_of(7, kVarint): {
        uint64_t flag = 0;
        if (!in_.ReadVarint64(&flag)) return false;
        datum.encoded = flag != 0;
        return true;
      }
      default:
        return WireFormatLite::SkipField(&in_, tag);
    }
  }

  bool read_integer(int32_t& value) {
    uint64_t bits = 0;  // a negative one is written with 64
    if (!in_.ReadVarint64(&bits)) return false;
    value = static_cast<int32_t>(bits);
    return true;
  }
  bool read_bytes(Bytes& bytes) {
    int size = 0;
    return in_.ReadVarintSizeAsInt(&size) && take(size, bytes);
  }
  bool take(int size, Bytes& bytes) {
    const auto start = static_cast<size_t>(in_.CurrentPosition());
    if (!in_.Skip(size)) return false;
    bytes = value_.subspan(start, static_cast<size_t>(size));
    return true;
  }
  bool add_numbers(Bytes bytes, Datum& datum) {
    if (bytes.size() % sizeof(float) != 0) return false;
    if (bytes.empty()) return true;
    if (datum.numbers.empty() && bytes.size() > sizeof(float)) {
      datum.numbers = bytes;
      return true;
    }
    if (datum.numbers.empty() || datum.numbers.data() != buffer_.data())
      buffer_.assign(datum.numbers.begin(), datum.numbers.end());
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    datum.numbers = buffer_;
    return true;
  }

  Bytes value_;
  google::protobuf::io::CodedInputStream in_;
  std::vector<unsigned char>& buffer_;
};

// Throws Error, which begins with `name`, unless there are channels x height x width of them.
void require_count(const Datum& datum, size_t count, const char* what, const DataSource& source,
                   int64_t index) {
  const int64_t c = datum.channels, h = datum.height, w = datum.width;
  const auto have = static_cast<int64_t>(count);
  if (c > 0 && h > 0 && w > 0 && c * h <= have && c * h * w == have) return;
  fail(source.name(index), ": has ", count, " ", what, ", expected channels x height x width = ", c,
       " x ", h, " x ", w, "; a JPEG or PNG file needs `encoded`");
}

}  // namespace

void read_datum(std::span<const unsigned char> value, const DataSource& source, int64_t index,
                Record& record) {
  Datum datum;
  require(value.size() <= static_cast<size_t>(std::numeric_limits<int>::max()) &&
              DatumReader(value, record.buffer).read(datum),
          source.name(index), ": is no Datum message of Caffe; it has ", value.size(), " bytes");
  record.label = datum.label;
  record.channels = datum.channels;
  record.height = datum.height;
  record.width = datum.width;
  // As Caffe does, numbers are looked at where there are no bytes.
  if (datum.data.empty() && !datum.encoded && !datum.numbers.empty()) {
    require_count(datum, datum.numbers.size() / sizeof(float), "numbers (float_data)", source,
                  index);
    record.kind = Record::Kind::kNumbers;
    record.content = datum.numbers;
    return;
  }
  require(!datum.data.empty(), source.name(index), ": is a Datum message without data");
  if (!datum.encoded) require_count(datum, datum.data.size(), "bytes", source, index);
  record.kind = datum.encoded ? Record::Kind::kFile : Record::Kind::kPixels;
  record.content = datum.data;
}

}  // namespace orepa
