#include <charconv>
#include <limits>

#include "data/sources/image_files.h"
#include "data/sources/label_range.h"
#include "data/sources/sample_index.h"
#include "data/sources/shard_names.h"
#include "data/sources/sources.h"
#include "data/sources/tar_reader.h"
#include "orepa/error.h"

namespace orepa {
namespace {

// In an index: of a sample that has none.
constexpr int64_t kNoLabel = std::numeric_limits<int64_t>::min();

// The key of a sample is the name up to the first dot of its last part: of "a.b/c.seg.png",
// "a.b/c".
struct Name {
  explicit Name(const std::string& whole) {
    const size_t slash = whole.rfind('/');
    const size_t dot = whole.find('.', slash == std::string::npos ? 0 : slash + 1);
    key = whole.substr(0, dot);
    if (dot != std::string::npos) ending = whole.substr(dot);
  }
  std::string key, ending;
};

// Goes through a shard and adds its samples to an index.
class ShardScan {
 public:
  ShardScan(const std::string& path, uint32_t number, SampleIndex& index)
      : file_(path), number_(number), index_(index) {}

  void run() {
    TarReader reader(file_);
    for (TarReader::Member member; reader.next(member);) {
      if (member.kind == TarReader::Member::Kind::kOther) continue;
      const Name name(member.name);
      if (name.key != key_) finish(name.key);
      const bool image = is_image_name(name.ending) && name.ending.rfind('.') == 0;
      if (!image && name.ending != ".cls") continue;
      const bool file = member.kind == TarReader::Member::Kind::kFile;
      require(file, where(member),
              "is a link or a sparse file, which are not read; write it "
              "anew by tar --dereference --hard-dereference");
      if (image)
        add_image(member);
      else
        add_label(member, reader);
    }
    finish("");
  }

 private:
  std::string where(const TarReader::Member& member) const {
    return text(file_.path(), ": at offset ", member.offset, ": ", member.name, " ");
  }
  void add_image(const TarReader::Member& member) {
    require(image_.empty(), where(member), "is a second image of the sample ", key_, ", after ",
            image_);
    require(member.size <= std::numeric_limits<uint32_t>::max(), where(member), "has ", member.size,
            " bytes, which no image has");
    image_ = member.name;
    part_ = {static_cast<uint64_t>(member.offset), static_cast<uint32_t>(member.size), number_};
  }
  void add_label(const TarReader::Member& member, TarReader& reader) {
    constexpr int64_t kMost = 64;
    require(label_ == kNoLabel, where(member), "is a second label of the sample ", key_);
    require(member.size <= kMost, where(member), "has ", member.size,
            " bytes, expected a label, an integer");
    const std::string content = reader.content(member);
    const size_t first = std::min(content.find_first_not_of(" \t\r\n"), content.size());
    const size_t last = content.find_last_not_of(" \t\r\n") + 1;
    const char* end = content.data() + last;
    int32_t label = 0;
    const auto [rest, reason] = std::from_chars(content.data() + std::min(first, last), end, label);
    require(reason == std::errc() && rest == end, where(member), "is \"", content,
            "\", expected a label, an integer");
    label_ = label;
  }
  // The sample is over when one with another key begins.
  void finish(const std::string& key) {
    require(label_ == kNoLabel || !image_.empty(), file_.path(), ": the sample ", key_,
            " has a label (.cls), but no image next to it (.jpg, .jpeg, .png)");
    if (!image_.empty()) {
      index_.names.add(image_);
      index_.labels.push_back(label_);
      index_.parts.push_back(part_);
    }
    key_ = key;
    image_.clear();
    label_ = kNoLabel;
  }

  RandomFile file_;
  uint32_t number_;
  SampleIndex& index_;
  std::string key_, image_;
  FilePart part_;
  int64_t label_ = kNoLabel;
};

class TarSource : public DataSource {
 public:
  TarSource(std::vector<std::string> shards, SampleIndex index, bool labels)
      : shards_(std::move(shards)), index_(std::move(index)), has_labels_(labels) {
    for (size_t i = 0; has_labels_ && i < index_.labels.size(); ++i)
      require(index_.labels[i] != kNoLabel, name(static_cast<int64_t>(i)),
              ": has no label; expected a file of the same name but for .cls next to it");
    if (has_labels_) range_ = range_of(index_.labels);
    for (size_t i = 0; i < std::min(shards_.size(), kMostOpen); ++i)
      files_.emplace_back(shards_[i]);
  }

  int64_t size() const override { return index_.names.size(); }
  void read(int64_t index, Record& record) const override {
    const auto at = static_cast<size_t>(index);
    const FilePart& part = index_.parts[at];
    record.buffer.resize(part.size);
    const auto read = [&](const RandomFile& file) {
      file.read(static_cast<int64_t>(part.offset), part.size, record.buffer.data());
    };
    if (part.file < files_.size())
      read(files_[part.file]);
    else
      read(RandomFile(shards_[part.file]));
    record.kind = Record::Kind::kFile;
    record.content = record.buffer;
    record.label = has_labels_ ? index_.labels[at] : 0;
  }
  std::string name(int64_t index) const override {
    return text(shards_[index_.parts[static_cast<size_t>(index)].file], ": ", index_.names[index]);
  }
  const Labels* labels() const override { return has_labels_ ? &range_ : nullptr; }

 private:
  // A process may have about a thousand files open, and needs some for others. Those of further
  // shards are opened for each sample.
  static constexpr size_t kMostOpen = 500;

  std::vector<std::string> shards_;
  SampleIndex index_;
  bool has_labels_;
  std::vector<RandomFile> files_;  // of the first shards
  Labels range_{};
};

SampleIndex find_samples(const std::string& pattern, const std::vector<std::string>& shards) {
  SampleIndex index;
  for (const std::string& shard : shards) {
    index.states.push_back(state_of(shard));
    ShardScan(shard, static_cast<uint32_t>(index.states.size() - 1), index).run();
  }
  require(index.names.size() > 0, pattern,
          ": has no sample; expected files KEY.jpg, KEY.jpeg or KEY.png");
  return index;
}

}  // namespace

std::unique_ptr<DataSource> open_tar(const std::string& pattern, const std::string& index,
                                     bool labels) {
  std::vector<std::string> shards = shard_names(pattern);
  std::string source = "TAR";
  for (const std::string& shard : shards) source += " " + shard;
  SampleIndex found = kept_index(index, source, [&] { return find_samples(pattern, shards); });
  return std::make_unique<TarSource>(std::move(shards), std::move(found), labels);
}

}  // namespace orepa
