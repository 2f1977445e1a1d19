#include <leveldb/db.h>

#include <filesystem>

#include "data/sources/datum.h"
#include "data/sources/label_range.h"
#include "data/sources/read_only_env.h"
#include "data/sources/sample_index.h"
#include "data/sources/sources.h"
#include "orepa/error.h"

namespace orepa {
namespace {

namespace fs = std::filesystem;

class LevelDbSource : public DataSource {
 public:
  LevelDbSource(const std::string& folder, const std::string& index) : folder_(folder) {
    leveldb::Options options;
    options.env = &env_;
    options.paranoid_checks = true;
    leveldb::DB* database = nullptr;
    const leveldb::Status status = leveldb::DB::Open(options, folder, &database);
    require(status.ok(), folder, ": cannot be read as a LevelDB: ", status.ToString());
    database_.reset(database);
    SampleIndex found = kept_index(index, "LEVELDB " + folder, [&] { return walk(); });
    keys_ = std::move(found.names);
    range_ = range_of(found.labels);
  }

  int64_t size() const override { return keys_.size(); }
  void read(int64_t index, Record& record) const override {
    const std::string_view key = keys_[index];
    std::string value;
    const leveldb::Status status =
        database_->Get(how_to_read(), leveldb::Slice(key.data(), key.size()), &value);
    require(status.ok(), name(index), ": cannot be read: ", status.ToString());
    read_datum({reinterpret_cast<const unsigned char*>(value.data()), value.size()}, *this, index,
               record);
    if (record.content.data() == record.buffer.data()) return;
    record.buffer.assign(record.content.begin(), record.content.end());
    record.content = record.buffer;
  }
  std::string name(int64_t index) const override { return text(folder_, ": ", keys_[index]); }
  const Labels* labels() const override { return &range_; }

 private:
  // Samples come in any order, so that blocks that were read are of no use to others.
  static leveldb::ReadOptions how_to_read() {
    leveldb::ReadOptions options;
    options.verify_checksums = true;
    options.fill_cache = false;
    return options;
  }

  // Keys lie between values, so all of the database is read.
  SampleIndex walk() {
    SampleIndex index;
    for (const auto& entry : fs::directory_iterator(folder_))
      index.states.push_back(state_of(entry.path().string()));
    const std::unique_ptr<leveldb::Iterator> at(database_->NewIterator(how_to_read()));
    Record record;
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
      const leveldb::Slice key = at->key(), value = at->value();
      keys_.add({key.data(), key.size()});
      read_datum({reinterpret_cast<const unsigned char*>(value.data()), value.size()}, *this,
                 keys_.size() - 1, record);
      index.labels.push_back(record.label);
    }
    require(at->status().ok(), folder_, ": cannot be read as a LevelDB: ", at->status().ToString());
    require(keys_.size() > 0, folder_, ": is a LevelDB without a sample");
    index.names = std::move(keys_);
    return index;
  }

  std::string folder_;
  ReadOnlyEnv env_;
  std::unique_ptr<leveldb::DB> database_;
  Names keys_;
  Labels range_{};
};

}  // namespace

std::string leveldb_version() {
  return text(leveldb::kMajorVersion, '.', leveldb::kMinorVersion);
}

std::unique_ptr<DataSource> open_leveldb(const std::string& folder, const std::string& index) {
  require(fs::is_directory(folder), folder, ": is no folder; a LevelDB is one");
  const bool found = fs::exists(folder + "/CURRENT");
  require(found || !fs::exists(folder + "/data.mdb"), folder,
          ": is an LMDB, not a LevelDB; say `backend: LMDB` (LEVELDB is what is meant where no "
          "backend is said)");
  require(found, folder,
          ": is no LevelDB, it has no file CURRENT (LEVELDB is what is meant where no backend is "
          "said)");
  return std::make_unique<LevelDbSource>(folder, index);
}

}  // namespace orepa
