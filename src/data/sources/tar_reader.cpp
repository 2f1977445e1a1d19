#include "data/sources/tar_reader.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "orepa/error.h"

namespace orepa {

// A block of 512 bytes (POSIX.1-1988; GNU tar manual, "Basic Tar Format").
struct TarReader::Header {
  char name[100], mode[8], uid[8], gid[8], size[12], time[12], checksum[8], type, link[100],
      magic[8], user[32], group[32], device_major[8], device_minor[8], prefix[155], rest[12];

  bool empty() const {
    const auto* bytes = reinterpret_cast<const char*>(this);
    return std::all_of(bytes, bytes + sizeof *this, [](char byte) { return byte == 0; });
  }
};

namespace {

constexpr int64_t kBlock = 512;
constexpr int64_t kMostOfExtension = 1 << 20;  // of a long name, of the records of pax

template <size_t size>
std::string text_of(const char (&field)[size]) {
  return std::string(field, std::find(field, field + size, '\0'));
}

// Octal digits between spaces and zeros or, of GNU, where the highest bit is set, a binary number.
template <size_t size>
std::optional<int64_t> number_of(const char (&field)[size]) {
  constexpr uint64_t kMost = uint64_t{1} << 55;
  uint64_t value = 0;
  if (field[0] & '\x80') {
    if (field[0] != '\x80') return std::nullopt;  // a negative one, or a very large one
    for (size_t i = 1; i < size; ++i) {
      if (value >= kMost) return std::nullopt;
      value = value << 8 | static_cast<unsigned char>(field[i]);
    }
    return static_cast<int64_t>(value);
  }
  const char *at = field, *end = field + size;
  while (at != end && *at == ' ') ++at;
  for (; at != end && *at >= '0' && *at <= '7'; ++at) value = value << 3 | uint64_t(*at - '0');
  if (at != end && *at != ' ' && *at != '\0') return std::nullopt;
  return static_cast<int64_t>(value);
}

bool is_gzipped(const RandomFile& file) {
  unsigned char mark[2] = {};
  if (file.size() >= 2) file.read(0, 2, mark);
  return mark[0] == 0x1f && mark[1] == 0x8b;
}

int64_t blocks(int64_t bytes) { return (bytes + kBlock - 1) / kBlock * kBlock; }

}  // namespace

template <class... Parts>
void TarReader::require_here(bool condition, const Parts&... parts) const {
  require(condition, file_.path(), ": at offset ", offset_, ": ", parts...);
}

// False at the end's mark, a block of zeros.
bool TarReader::read_header(Header& header) {
  static_assert(sizeof(Header) == kBlock);
  require_here(offset_ > 0 || !is_gzipped(file_),
               "is compressed by gzip; decompress it, for samples are read in any order");
  require_here(file_.size() - offset_ >= kBlock,
               "is cut short: expected a header or the mark of the end, the file has ",
               file_.size(), " bytes");
  read(offset_, kBlock, &header);
  if (header.empty()) return false;
  // The sum of all bytes, those of the sum itself taken for spaces; some old writers took bytes for
  // signed.
  const auto* bytes = reinterpret_cast<const unsigned char*>(&header);
  int64_t sum = 0, signed_sum = 0;
  for (size_t i = 0; i < sizeof header; ++i) {
    const bool own = i >= offsetof(Header, checksum) && i < offsetof(Header, type);
    sum += own ? ' ' : bytes[i];
    signed_sum += own ? ' ' : static_cast<signed char>(bytes[i]);
  }
  const std::optional<int64_t> stored = number_of(header.checksum);
  require_here(stored == sum || stored == signed_sum,
               "is no header of a tar file, or a damaged one: its checksum does not hold");
  return true;
}

void TarReader::read(int64_t offset, int64_t bytes, void* to) {
  constexpr int64_t kWindow = 1 << 14;
  const auto have = static_cast<int64_t>(window_.size());
  if (offset < window_start_ || offset + bytes > window_start_ + have) {
    const int64_t most = std::min(std::max(kWindow, bytes), file_.size() - offset);
    window_.resize(static_cast<size_t>(std::max(most, bytes)));
    file_.read(offset, static_cast<int64_t>(window_.size()), window_.data());
    window_start_ = offset;
  }
  std::memcpy(to, window_.data() + (offset - window_start_), static_cast<size_t>(bytes));
}

std::string TarReader::content(int64_t offset, int64_t size) {
  require_here(size <= kMostOfExtension, "has a name or attributes of ", size, " bytes");
  std::string bytes(static_cast<size_t>(size), '\0');
  read(offset, size, bytes.data());
  return bytes;
}

// Records "LENGTH KEY=VALUE\n", with the length of all of it.
void TarReader::read_pax(const std::string& records, Extension& extension) const {
  for (size_t start = 0; start < records.size() && records[start] != '\0';) {
    const char *first = records.data() + start, *last = records.data() + records.size();
    size_t length = 0;
    const auto [space, reason] = std::from_chars(first, last, length);
    const auto left = static_cast<size_t>(last - first);
    const auto digits = static_cast<size_t>(space - first);
    require_here(reason == std::errc() && length <= left && length > digits + 1 && *space == ' ' &&
                     first[length - 1] == '\n',
                 "has damaged attributes (pax)");
    const std::string_view record(space + 1, length - digits - 2);
    const size_t equals = record.find('=');
    require_here(equals != std::string_view::npos, "has damaged attributes (pax)");
    const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
    if (key == "path") extension.name = value;
    if (key.starts_with("GNU.sparse.")) extension.sparse = true;
    if (key == "size") {
      const char* end = value.data() + value.size();
      const auto result = std::from_chars(value.data(), end, extension.size);
      require_here(result.ec == std::errc() && result.ptr == end && extension.size >= 0,
                   "has a damaged size (pax)");
    }
    start += length;
  }
}

bool TarReader::next(Member& member) {
  Extension extension;
  Header header{};
  while (read_header(header)) {
    const char type = header.type;
    const bool is_long_name = type == 'L', is_pax = type == 'x';
    const bool is_extension = is_long_name || is_pax || type == 'K' || type == 'g';
    const bool has_bytes = is_extension || type < '1' || type > '6';  // links and devices have none
    const std::optional<int64_t> stored = number_of(header.size);
    require_here(stored.has_value(), "has a damaged size");
    int64_t size = !is_extension && extension.size >= 0 ? extension.size : *stored;
    if (!has_bytes) size = 0;
    const int64_t start = offset_ + kBlock;
    require_here(size <= file_.size() - start, "is cut short: a member of ", size,
                 " bytes begins here, the file has ", file_.size());
    if (is_long_name) extension.name = content(start, size).c_str();  // ends in a zero
    if (is_pax) read_pax(content(start, size), extension);
    offset_ = start + blocks(size);
    if (is_extension) continue;

    const bool posix = std::memcmp(header.magic, "ustar\0", 6) == 0;
    const std::string prefix = posix ? text_of(header.prefix) : "", name = text_of(header.name);
    member.name = !extension.name.empty() ? extension.name
                  : prefix.empty()        ? name
                                          : prefix + "/" + name;
    member.offset = start;
    member.size = size;
    using Kind = Member::Kind;
    member.kind = type == 'S' || extension.sparse              ? Kind::kSparse
                  : type == '1' || type == '2'                 ? Kind::kLink
                  : type == '0' || type == '\0' || type == '7' ? Kind::kFile
                                                               : Kind::kOther;
    return true;
  }
  return false;
}

}  // namespace orepa
