#include "data/sources/image_files.h"

#include <strings.h>

#include "data/sources/label_range.h"
#include "data/sources/random_file.h"

namespace orepa {
namespace {

class ImageFiles : public DataSource {
 public:
  ImageFiles(std::string prefix, Names names, std::vector<int64_t> labels,
             std::vector<std::string> classes)
      : prefix_(std::move(prefix)),
        names_(std::move(names)),
        labels_(std::move(labels)),
        classes_(std::move(classes)),
        range_(range_of(labels_)) {}

  int64_t size() const override { return names_.size(); }
  void read(int64_t index, Record& record) const override {
    read_bytes(name(index), record.buffer);
    record.kind = Record::Kind::kFile;
    record.content = record.buffer;
    record.label = labels_[static_cast<size_t>(index)];
  }
  std::string name(int64_t index) const override { return prefix_ + std::string(names_[index]); }
  const Labels* labels() const override { return &range_; }
  const std::vector<std::string>& classes() const override { return classes_; }

 private:
  std::string prefix_;
  Names names_;
  std::vector<int64_t> labels_;
  std::vector<std::string> classes_;
  Labels range_;
};

}  // namespace

std::unique_ptr<DataSource> open_image_files(std::string prefix, Names names,
                                             std::vector<int64_t> labels,
                                             std::vector<std::string> classes) {
  return std::make_unique<ImageFiles>(std::move(prefix), std::move(names), std::move(labels),
                                      std::move(classes));
}

bool is_image_name(std::string_view name) {
  for (const std::string_view ending : {".jpg", ".jpeg", ".png"})
    if (name.size() >= ending.size() &&
        strncasecmp(name.data() + name.size() - ending.size(), ending.data(), ending.size()) == 0)
      return true;
  return false;
}

}  // namespace orepa
