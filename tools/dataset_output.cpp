#include "dataset_output.h"

#include <algorithm>
#include <filesystem>

#include "core/atomic_file.h"
#include "data/sources/image_files.h"
#include "data/sources/lmdb_writer.h"
#include "data/sources/tar_writer.h"
#include "orepa.pb.h"
#include "orepa/error.h"

namespace orepa::tool {
namespace {

std::string digits(int64_t number, size_t count) {
  const std::string text = std::to_string(number);
  return std::string(count - std::min(count, text.size()), '0') + text;
}

// Caffe's keys: the number of the sample and its path.
class LmdbOutput : public DatasetOutput {
 public:
  explicit LmdbOutput(const std::string& folder) : writer_(folder) {
    const std::string key = writer_.last_key();
    if (!key.empty()) size_ = std::stoll(key.substr(0, key.find('_'))) + 1;
  }
  int64_t size() const override { return size_; }
  void add(int64_t number, const BuiltSample& sample) override {
    constexpr size_t kMostOfName = 500;  // of a key: 511
    constexpr int64_t kSamples = 1000;   // as Caffe does
    Datum datum;
    datum.set_data(sample.file);
    datum.set_label(static_cast<int>(sample.label));
    datum.set_encoded(true);
    const std::string& name = sample.name;
    writer_.add(
        digits(number, 8) + "_" + name.substr(name.size() - std::min(name.size(), kMostOfName)),
        datum.SerializeAsString());
    if (number % kSamples == kSamples - 1) writer_.commit();
  }
  void finish() override { writer_.commit(); }

 private:
  LmdbWriter writer_;
  int64_t size_ = 0;
};

// A shard is written when it is complete, so those that are there are.
class TarOutput : public DatasetOutput {
 public:
  TarOutput(const std::string& folder, int64_t shard) : folder_(folder), shard_(shard) {
    while (std::filesystem::exists(path())) ++shards_;
  }
  int64_t size() const override { return shards_ * shard_; }
  void add(int64_t number, const BuiltSample& sample) override {
    const std::string key = digits(number, 8);
    const bool jpeg = sample.file.starts_with("\xff\xd8");
    add_tar_member(tar_, key + (jpeg ? ".jpg" : ".png"), sample.file);
    add_tar_member(tar_, key + ".cls", std::to_string(sample.label));
    if ((number + 1) % shard_ == 0) write();
  }
  void finish() override {
    if (!tar_.empty()) write();
  }

 private:
  std::string path() const { return folder_ + "/" + digits(shards_, 6) + ".tar"; }
  void write() {
    end_tar(tar_);
    write_atomically(path(), tar_);
    tar_.clear();
    ++shards_;
  }

  std::string folder_, tar_;
  int64_t shard_, shards_ = 0;
};

}  // namespace

std::unique_ptr<DatasetOutput> lmdb_output(const std::string& folder) {
  return std::make_unique<LmdbOutput>(folder);
}

std::unique_ptr<DatasetOutput> tar_output(const std::string& folder, int64_t shard) {
  return std::make_unique<TarOutput>(folder, shard);
}

}  // namespace orepa::tool
