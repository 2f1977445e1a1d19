// The IDX format (LeCun, Cortes, Burges: The MNIST database): two zero bytes, a code of the type
// (0x08: unsigned byte), the rank, the extents as big-endian int32, then the numbers, row-major.
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "core/input_file.h"
#include "orepa/data_source.h"
#include "orepa/error.h"
#include "orepa/tensor.h"

namespace orepa {
namespace {

// Reads a file that may be gzipped.
class GzipReader {
 public:
  explicit GzipReader(const std::string& path) : path_(path) {
    require_regular_file(path);
    file_ = gzopen(path.c_str(), "rb");
    require(file_ != nullptr, path, ": cannot be read: ", std::strerror(errno));
  }
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;
  ~GzipReader() { gzclose(file_); }

  // As many bytes as there are, at most `bytes`. Throws Error on damaged or cut compression.
  int64_t read(unsigned char* to, int64_t bytes) {
    constexpr int64_t kMost = 1 << 30;
    int64_t got = 0;
    while (got < bytes) {
      const int now = gzread(file_, to + got, static_cast<unsigned>(std::min(bytes - got, kMost)));
      if (now <= 0) break;
      got += now;
    }
    int code = Z_OK;
    const char* reason = gzerror(file_, &code);
    require(code == Z_OK || code == Z_STREAM_END, path_,
            ": cannot be decompressed: ", code == Z_BUF_ERROR ? "the file is cut short" : reason);
    return got;
  }

 private:
  std::string path_;
  gzFile file_ = nullptr;
};

struct IdxFile {
  Shape shape;
  std::vector<unsigned char> bytes;
};

std::string hex(const unsigned char* bytes, int64_t count) {
  std::ostringstream out;
  out << "0x" << std::hex;
  for (int64_t i = 0; i < count; ++i) out << (bytes[i] >> 4) << (bytes[i] & 15);
  return out.str();
}

// The bytes are read in pieces, so that a damaged header cannot ask for all the memory.
void read_bytes(GzipReader& file, const std::string& path, IdxFile& idx) {
  constexpr int64_t kFirstPiece = 1 << 16;
  const int64_t wanted = idx.shape.count();
  while (static_cast<int64_t>(idx.bytes.size()) < wanted) {
    const auto have = static_cast<int64_t>(idx.bytes.size());
    const int64_t piece = std::min(std::max(kFirstPiece, have), wanted - have);
    idx.bytes.resize(static_cast<size_t>(have + piece));
    const int64_t got = file.read(idx.bytes.data() + have, piece);
    require(got == piece, path, ": is cut short: its header says ", idx.shape.str(), " = ", wanted,
            " bytes, it has ", have + got);
  }
  unsigned char more = 0;
  require(file.read(&more, 1) == 0, path, ": is longer than the ", wanted,
          " bytes that its header says (", idx.shape.str(), ")");
}

IdxFile read_idx(const std::string& path, int least_rank, int most_rank) {
  GzipReader file(path);
  unsigned char magic[4] = {};
  const int64_t got = file.read(magic, 4);
  const std::string expected = least_rank == most_rank
                                   ? text("0x0000080", least_rank)
                                   : text("0x0000080", least_rank, " or 0x0000080", most_rank);
  require(got == 4 && magic[0] == 0 && magic[1] == 0 && magic[2] == 8 && magic[3] >= least_rank &&
              magic[3] <= most_rank,
          path, ": starts with ", got == 0 ? "nothing" : hex(magic, got), ", expected ", expected,
          ": an IDX file of unsigned bytes");
  IdxFile idx;
  std::vector<int64_t> extents;
  int64_t count = 1;
  for (int axis = 0; axis < magic[3]; ++axis) {
    unsigned char b[4] = {};
    require(file.read(b, 4) == 4, path, ": is cut short: it ends inside the header");
    const auto extent = static_cast<int32_t>(uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 |
                                             uint32_t{b[2]} << 8 | uint32_t{b[3]});
    require(extent > 0, path, ": extent ", axis, " is ", extent, ", expected a positive number");
    require(count <= std::numeric_limits<int64_t>::max() / extent, path,
            ": its header says more bytes than there are addresses");
    count *= extent;
    extents.push_back(extent);
  }
  idx.shape = Shape(extents);
  read_bytes(file, path, idx);
  return idx;
}

class IdxSource : public DataSource {
 public:
  IdxSource(const std::string& path, IdxFile images, IdxFile labels)
      : path_(path), images_(std::move(images)), labels_(std::move(labels)) {
    if (labels_.bytes.empty()) return;
    const auto [least, most] = std::minmax_element(labels_.bytes.begin(), labels_.bytes.end());
    range_ = {*least, *most};
  }

  int64_t size() const override { return images_.shape[0]; }
  void read(int64_t index, Record& record) const override {
    const Shape& shape = images_.shape;
    record.kind = Record::Kind::kPixels;
    record.channels = shape.rank() == 4 ? shape[1] : 1;
    record.height = shape[-2];
    record.width = shape[-1];
    const int64_t bytes = record.channels * record.height * record.width;
    record.content = {images_.bytes.data() + index * bytes, static_cast<size_t>(bytes)};
    record.label = labels_.bytes.empty() ? 0 : labels_.bytes[static_cast<size_t>(index)];
  }
  std::string name(int64_t index) const override { return text("sample ", index, " of ", path_); }
  const Labels* labels() const override { return labels_.bytes.empty() ? nullptr : &range_; }

 private:
  std::string path_;
  IdxFile images_, labels_;
  Labels range_{};
};

}  // namespace

std::unique_ptr<DataSource> open_idx(const std::string& images, const std::string& labels) {
  IdxFile image_file = read_idx(images, 3, 4), label_file;
  if (!labels.empty()) {
    label_file = read_idx(labels, 1, 1);
    require(label_file.shape[0] == image_file.shape[0], labels, ": has ", label_file.shape[0],
            " labels, but ", images, " has ", image_file.shape[0], " images");
  }
  return std::make_unique<IdxSource>(images, std::move(image_file), std::move(label_file));
}

}  // namespace orepa
