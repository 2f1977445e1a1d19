#include "data/sources/sample_index.h"

#include <sys/stat.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <type_traits>

#include "core/atomic_file.h"
#include "core/input_file.h"
#include "orepa/error.h"

namespace orepa {
namespace {

const std::string kMark = "orepa index\n";
// Numbers are stored in the machine's order: another one takes this for another version.
constexpr uint32_t kVersion = 1;

static_assert(sizeof(FilePart) == 16, "written as it lies in memory");

class Writer {
 public:
  template <class Number>
  void add(Number value) {
    static_assert(std::is_arithmetic_v<Number>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void add(const std::string& text) {
    add(uint64_t{text.size()});
    bytes_ += text;
  }
  template <class Item>
  void add(const std::vector<Item>& items) {
    static_assert(std::is_trivially_copyable_v<Item>);
    add(uint64_t{items.size()});
    bytes_.append(reinterpret_cast<const char*>(items.data()), items.size() * sizeof(Item));
  }
  void add_raw(const std::string& text) { bytes_ += text; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Every read says whether there were enough bytes.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <class Number>
  bool read(Number& value) {
    return read_bytes(&value, sizeof value);
  }
  bool read(std::string& text) {
    uint64_t size = 0;
    if (!read(size) || size > rest_.size()) return false;
    text.assign(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return true;
  }
  template <class Item>
  bool read(std::vector<Item>& items) {
    uint64_t count = 0;
    if (!read(count) || count > rest_.size() / sizeof(Item)) return false;
    items.resize(count);
    return read_bytes(items.data(), count * sizeof(Item));
  }
  bool at_end() const { return rest_.empty(); }

 private:
  bool read_bytes(void* to, size_t bytes) {
    if (bytes > rest_.size()) return false;
    if (bytes > 0) std::memcpy(to, rest_.data(), bytes);
    rest_.remove_prefix(bytes);
    return true;
  }
  std::string_view rest_;
};

uint32_t checksum(std::string_view bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// Of a text list, which both ends know how many entries it has.
bool read_states(Reader& reader, std::vector<FileState>& states) {
  uint64_t count = 0;
  if (!reader.read(count)) return false;
  for (uint64_t i = 0; i < count; ++i) {
    FileState state;
    if (!reader.read(state.path) || !reader.read(state.time) || !reader.read(state.size))
      return false;
    states.push_back(std::move(state));
  }
  return true;
}

bool read_classes(Reader& reader, std::vector<std::string>& classes) {
  uint64_t count = 0;
  if (!reader.read(count)) return false;
  for (uint64_t i = 0; i < count; ++i)
    if (!reader.read(classes.emplace_back())) return false;
  return true;
}

// Whether its parts belong together.
bool fits(const SampleIndex& index) {
  const auto samples = static_cast<size_t>(index.names.size());
  if (samples == 0 || index.labels.size() != samples) return false;
  if (!index.parts.empty() && index.parts.size() != samples) return false;
  for (const FilePart& part : index.parts)
    if (part.file >= index.states.size()) return false;
  return true;
}

bool holds(const SampleIndex& index) {
  for (const FileState& state : index.states) {
    struct stat status {};
    if (::stat(state.path.c_str(), &status) != 0 || state_of(state.path) != state) return false;
  }
  return true;
}

}  // namespace

FileState state_of(const std::string& path) {
  struct stat status {};
  require(::stat(path.c_str(), &status) == 0, path, ": cannot be read: ", std::strerror(errno));
  return {path, int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec,
          int64_t{status.st_size}};
}

std::string index_bytes(const std::string& source, const SampleIndex& index) {
  Writer writer;
  writer.add_raw(kMark);
  writer.add(kVersion);
  writer.add(source);
  writer.add(uint64_t{index.states.size()});
  for (const FileState& state : index.states) {
    writer.add(state.path);
    writer.add(state.time);
    writer.add(state.size);
  }
  writer.add(uint64_t{index.classes.size()});
  for (const std::string& name : index.classes) writer.add(name);
  writer.add(index.names.text());
  writer.add(index.names.ends());
  writer.add(index.labels);
  writer.add(index.parts);
  writer.add(checksum(writer.bytes()));
  return writer.bytes();
}

std::optional<SampleIndex> parse_index(const std::string& bytes, const std::string& source) {
  uint32_t version = 0, sum = 0;
  if (!bytes.starts_with(kMark) || bytes.size() < kMark.size() + sizeof version + sizeof sum)
    return std::nullopt;
  const std::string_view content(bytes.data(), bytes.size() - sizeof sum);
  std::memcpy(&sum, content.data() + content.size(), sizeof sum);
  if (sum != checksum(content)) return std::nullopt;

  Reader reader(content.substr(kMark.size()));
  std::string source_then, names;
  std::vector<uint64_t> ends;
  SampleIndex index;
  if (!reader.read(version) || version != kVersion || !reader.read(source_then) ||
      source_then != source || !read_states(reader, index.states) ||
      !read_classes(reader, index.classes) || !reader.read(names) || !reader.read(ends) ||
      !reader.read(index.labels) || !reader.read(index.parts) || !reader.at_end() ||
      !Names::valid(names, ends))
    return std::nullopt;
  index.names = Names(std::move(names), std::move(ends));
  if (!fits(index)) return std::nullopt;
  return index;
}

SampleIndex kept_index(const std::string& path, const std::string& source,
                       const std::function<SampleIndex()>& make) {
  if (path.empty()) return make();
  if (std::filesystem::exists(path)) {
    const std::string bytes = read_file(path);
    require(bytes.starts_with(kMark), path,
            ": is no index of samples, so it is left as it is; give `index` another name");
    std::optional<SampleIndex> index = parse_index(bytes, source);
    if (index && holds(*index)) return std::move(*index);
  }
  SampleIndex index = make();
  write_atomically(path, index_bytes(source, index));
  return index;
}

}  // namespace orepa
