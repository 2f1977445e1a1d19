#include "data/hdf5_rows.h"
#include "data/sources/label_range.h"
#include "data/sources/sources.h"
#include "orepa/error.h"

namespace orepa {
namespace {

class Hdf5Source : public DataSource {
 public:
  Hdf5Source(const std::string& path, bool labels) : path_(path), data_(path, "data") {
    const Shape& shape = data_.shape();
    require(data_.holds_bytes() && (shape.rank() == 3 || shape.rank() == 4), path,
            ": array data is ", shape.str(), data_.holds_bytes() ? "" : ", not of bytes",
            "; expected unsigned bytes, N x C x H x W or N x H x W");
    if (labels) read_labels();
  }

  int64_t size() const override { return data_.shape()[0]; }
  void read(int64_t index, Record& record) const override {
    const Shape& shape = data_.shape();
    record.kind = Record::Kind::kPixels;
    record.channels = shape.rank() == 4 ? shape[1] : 1;
    record.height = shape[-2];
    record.width = shape[-1];
    record.buffer.resize(static_cast<size_t>(record.channels * record.height * record.width));
    data_.read(index, 1, record.buffer.data());
    record.content = record.buffer;
    record.label = labels_.empty() ? 0 : labels_[static_cast<size_t>(index)];
  }
  std::string name(int64_t index) const override { return text("sample ", index, " of ", path_); }
  const Labels* labels() const override { return labels_.empty() ? nullptr : &range_; }

 private:
  void read_labels() {
    const Hdf5Rows rows(path_, "label");
    require(rows.holds_integers() && rows.shape().count() == size() && rows.shape()[0] == size(),
            path_, ": array label is ", rows.shape().str(),
            rows.holds_integers() ? ""
                                  : ", no "
                                    "integers",
            "; expected an integer for each of ", size(), " samples");
    labels_.resize(static_cast<size_t>(size()));
    rows.read(0, size(), labels_.data());
    range_ = range_of(labels_);
  }

  std::string path_;
  Hdf5Rows data_;
  std::vector<int64_t> labels_;
  Labels range_{};
};

}  // namespace

std::unique_ptr<DataSource> open_hdf5(const std::string& path, bool labels) {
  return std::make_unique<Hdf5Source>(path, labels);
}

}  // namespace orepa
