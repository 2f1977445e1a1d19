#include <lmdb.h>

#include <filesystem>

#include "core/input_file.h"
#include "data/sources/datum.h"
#include "data/sources/random_file.h"
#include "data/sources/sources.h"
#include "orepa/error.h"

namespace orepa {
namespace {

// A database that is open for reading. A process may open one but once at a time, which
// open_data_source sees to.
class Database {
 public:
  explicit Database(const std::string& folder) : folder_(folder) {
    const std::string file = folder + "/data.mdb";
    require(std::filesystem::is_directory(folder), folder, ": is no folder; an LMDB is one");
    require(!std::filesystem::exists(folder + "/CURRENT") || std::filesystem::exists(file), folder,
            ": is a LevelDB, not an LMDB; say `backend: LEVELDB`");
    require_regular_file(file);
    check(mdb_env_create(&environment_));
    try {
      open();
      require_whole(file);
    } catch (...) {
      close();
      throw;
    }
  }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database() { close(); }

  int64_t size() const {
    MDB_stat status{};
    check(mdb_stat(transaction_, database_, &status));
    return static_cast<int64_t>(status.ms_entries);
  }

  // Calls visit(key, value) for all, in the order of their keys. What it is given stays as long as
  // the transaction, which is as long as this.
  template <class Visit>
  void walk(Visit visit) const {
    MDB_cursor* cursor = nullptr;
    check(mdb_cursor_open(transaction_, database_, &cursor));
    MDB_val key{}, value{};
    int code = MDB_SUCCESS;
    while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS)
      visit(key, value);
    mdb_cursor_close(cursor);
    if (code != MDB_NOTFOUND) check(code);
  }

 private:
  // The lock file tells writers which pages are still read. Where it cannot be written, this goes
  // without: that is safe as long as nobody who may write there adds to the database meanwhile.
  // MDB_NOTLS ties the transaction to this object, not to the thread that began it.
  void open() {
    constexpr unsigned kFlags = MDB_RDONLY | MDB_NOTLS;
    int code = mdb_env_open(environment_, folder_.c_str(), kFlags, 0664);
    if (code == EACCES || code == EROFS || code == EPERM) {
      mdb_env_close(environment_);
      environment_ = nullptr;
      check(mdb_env_create(&environment_));
      code = mdb_env_open(environment_, folder_.c_str(), kFlags | MDB_NOLOCK, 0664);
    }
    check(code);
    check(mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &transaction_));
    check(mdb_dbi_open(transaction_, nullptr, 0, &database_));
  }
  // Pages that a file does not have would be a signal, not an error.
  void require_whole(const std::string& file) const {
    MDB_envinfo info{};
    MDB_stat status{};
    check(mdb_env_info(environment_, &info));
    check(mdb_env_stat(environment_, &status));
    const auto wanted = static_cast<int64_t>((info.me_last_pgno + 1) * status.ms_psize);
    const int64_t have = RandomFile(file).size();
    require(wanted <= have, file, ": is cut short: its pages are ", wanted, " bytes, it has ",
            have);
  }
  void check(int code) const {
    require(code == MDB_SUCCESS, folder_, ": cannot be read as an LMDB: ", mdb_strerror(code));
  }
  void close() {
    if (transaction_ != nullptr) mdb_txn_abort(transaction_);
    if (environment_ != nullptr) mdb_env_close(environment_);
  }

  std::string folder_;
  MDB_env* environment_ = nullptr;
  MDB_txn* transaction_ = nullptr;
  MDB_dbi database_ = 0;
};

// Where a sample lies in the file's memory. One walk finds them all, so that reading is nothing but
// looking there, from any number of threads, without a copy. The walk touches the pages of keys,
// not those of values, which is why nobody knows the labels after it.
struct Entry {
  const unsigned char* value;
  const char* key;
  uint32_t size;
  uint16_t key_size;
};

class LmdbSource : public DataSource {
 public:
  explicit LmdbSource(const std::string& folder) : folder_(folder), database_(folder) {
    const int64_t count = database_.size();
    require(count > 0, folder, ": is an LMDB without a sample");
    entries_.reserve(static_cast<size_t>(count));
    database_.walk([&](const MDB_val& key, const MDB_val& value) {
      entries_.push_back(
          {static_cast<const unsigned char*>(value.mv_data), static_cast<const char*>(key.mv_data),
           static_cast<uint32_t>(value.mv_size), static_cast<uint16_t>(key.mv_size)});
    });
  }

  int64_t size() const override { return static_cast<int64_t>(entries_.size()); }
  void read(int64_t index, Record& record) const override {
    const Entry& entry = entries_[static_cast<size_t>(index)];
    read_datum({entry.value, entry.size}, *this, index, record);
  }
  std::string name(int64_t index) const override {
    const Entry& entry = entries_[static_cast<size_t>(index)];
    return text(folder_, ": ", std::string_view(entry.key, entry.key_size));
  }

 private:
  std::string folder_;
  Database database_;
  std::vector<Entry> entries_;
};

}  // namespace

std::string lmdb_version() {
  return text(MDB_VERSION_MAJOR, '.', MDB_VERSION_MINOR, '.', MDB_VERSION_PATCH);
}

std::unique_ptr<DataSource> open_lmdb(const std::string& folder) {
  return std::make_unique<LmdbSource>(folder);
}

}  // namespace orepa
