#include <gtest/gtest.h>
#include <lmdb.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "core/input_file.h"
#include "data/sources/sources.h"
#include "orepa/error.h"
#include "tests/data/sources/samples.h"
#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa {
namespace {

namespace fs = std::filesystem;
using Samples = std::vector<std::pair<std::string, std::string>>;

void write_lmdb(const std::string& folder, const Samples& samples) {
  fs::create_directories(folder);
  MDB_env* environment = nullptr;
  ASSERT_EQ(mdb_env_create(&environment), 0);
  ASSERT_EQ(mdb_env_set_mapsize(environment, size_t{1} << 28), 0);
  ASSERT_EQ(mdb_env_open(environment, folder.c_str(), 0, 0644), 0);
  MDB_txn* transaction = nullptr;
  MDB_dbi database = 0;
  ASSERT_EQ(mdb_txn_begin(environment, nullptr, 0, &transaction), 0);
  ASSERT_EQ(mdb_dbi_open(transaction, nullptr, 0, &database), 0);
  for (const auto& [key, value] : samples) {
    MDB_val k{key.size(), const_cast<char*>(key.data())};
    MDB_val v{value.size(), const_cast<char*>(value.data())};
    ASSERT_EQ(mdb_put(transaction, database, &k, &v, 0), 0);
  }
  ASSERT_EQ(mdb_txn_commit(transaction), 0);
  mdb_env_close(environment);
}

// Small samples, which lie in the pages of keys, and large ones, which have pages of their own.
Samples some(int count) {
  Samples samples;
  for (int i = 0; i < count; ++i) {
    char key[32];
    std::snprintf(key, sizeof key, "%08d_%d.jpg", i, i);
    const std::string data(static_cast<size_t>(i % 3 == 0 ? 10 : 5000 + i), static_cast<char>(i));
    samples.emplace_back(key, file_datum(data, i % 7).SerializeAsString());
  }
  return samples;
}

class Lmdb : public testing::Test {
 protected:
  std::string refusal() const {
    return error_of([&] { open_lmdb(folder_); });
  }
  const std::string root_ = test_folder(), folder_ = root_ + "lmdb";
};

TEST_F(Lmdb, ReadsInTheOrderOfKeys) {
  write_lmdb(folder_, {{"b", pixels_datum(1, 1, 2, "xy", 4).SerializeAsString()},
                       {"a", file_datum("file", 2).SerializeAsString()}});
  const auto source = open_lmdb(folder_);
  EXPECT_EQ(samples_of(*source, folder_ + ": "), (std::vector<std::string>{"a=file=2", "b=xy=4"}));
  EXPECT_EQ(source->labels(), nullptr);
}

TEST_F(Lmdb, ReadsFromManyThreadsWithoutACopy) {
  constexpr int kCount = 500;
  const Samples samples = some(kCount);
  write_lmdb(folder_, samples);
  const auto source = open_lmdb(folder_);
  ASSERT_EQ(source->size(), kCount);
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      Record record;
      for (int i = 0; i < kCount; ++i) {
        const int at = (i * 7 + t * 31) % kCount;
        source->read(at, record);
        Datum datum;
        datum.ParseFromString(samples[static_cast<size_t>(at)].second);
        wrong += content_of(record) != datum.data() || record.label != datum.label() ||
                 !record.buffer.empty();
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// As somebody who may neither write there nor take a lock.
TEST_F(Lmdb, ReadsAFolderThatIsOnlyReadable) {
  if (geteuid() != 0) GTEST_SKIP() << "only root becomes somebody else";
  write_lmdb(folder_, some(3));
  fs::remove(folder_ + "/lock.mdb");
  constexpr auto kReadable = fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec |
                             fs::perms::others_read | fs::perms::others_exec;
  for (fs::path path = folder_; path != path.root_path(); path = path.parent_path())
    if (fs::equivalent(path, fs::temp_directory_path()))
      break;
    else
      fs::permissions(path, kReadable,
                      path == folder_ ? fs::perm_options::replace : fs::perm_options::add);
  setfsuid(65534);
  const std::string message = refusal();
  setfsuid(0);
  EXPECT_EQ(message, "");
  EXPECT_FALSE(fs::exists(folder_ + "/lock.mdb"));
}

TEST_F(Lmdb, RefusesWhatIsNone) {
  EXPECT_EQ(refusal(), folder_ + ": is no folder; an LMDB is one");
  fs::create_directories(folder_);
  EXPECT_NE(refusal().find("data.mdb: cannot be read: No such file"), std::string::npos);
  write_file(folder_ + "/CURRENT", "");
  EXPECT_EQ(refusal(), folder_ + ": is a LevelDB, not an LMDB; say `backend: LEVELDB`");
  fs::remove(folder_ + "/CURRENT");
  for (const std::string& content : {std::string(), std::string("short"), std::string(9000, 'x')}) {
    write_file(folder_ + "/data.mdb", content);
    EXPECT_NE(refusal().find(folder_ + ": cannot be read as an LMDB"), std::string::npos)
        << refusal();
  }
  fs::remove_all(folder_);
  write_lmdb(folder_, {});
  EXPECT_EQ(refusal(), folder_ + ": is an LMDB without a sample");
}

TEST_F(Lmdb, RefusesAFileThatIsCutShort) {
  write_lmdb(folder_, some(50));
  const std::string file = folder_ + "/data.mdb";
  fs::resize_file(file, fs::file_size(file) - 4096);
  EXPECT_NE(refusal().find(file + ": is cut short: its pages are "), std::string::npos)
      << refusal();
}

TEST_F(Lmdb, NamesTheSampleThatIsNoDatum) {
  write_lmdb(folder_, {{"a", file_datum("file", 0).SerializeAsString()}, {"b", "\xff\xff"}});
  const auto source = open_lmdb(folder_);
  Record record;
  EXPECT_EQ(error_of([&] { source->read(1, record); }),
            folder_ + ": b: is no Datum message of Caffe; it has 2 bytes");
}

}  // namespace
}  // namespace orepa
