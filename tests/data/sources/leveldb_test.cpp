#include <gtest/gtest.h>
#include <leveldb/db.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
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

class LevelDb : public testing::Test {
 protected:
  // Several small tables, and a log with what came last.
  void write(int count, size_t write_buffer = size_t{1} << 16) {
    leveldb::Options options;
    options.create_if_missing = true;
    options.write_buffer_size = write_buffer;
    leveldb::DB* database = nullptr;
    ASSERT_TRUE(leveldb::DB::Open(options, folder_, &database).ok());
    const std::unique_ptr<leveldb::DB> owner(database);
    for (int i = 0; i < count; ++i)
      ASSERT_TRUE(
          database->Put({}, key(i), file_datum(data(i), i % 7 - 1).SerializeAsString()).ok());
  }
  static std::string key(int i) {
    char text[32];
    std::snprintf(text, sizeof text, "%08d", i);
    return text;
  }
  static std::string data(int i) {
    return std::string(static_cast<size_t>(1000 + i), static_cast<char>(i * 37));
  }
  std::string refusal(const std::string& index = "") const {
    return error_of([&] { open_leveldb(folder_, index); });
  }
  // Name, size and time of all its files.
  std::vector<std::string> state() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(folder_))
      all.push_back(text(entry.path(), entry.file_size(), " ",
                         entry.last_write_time().time_since_epoch().count()));
    std::sort(all.begin(), all.end());
    return all;
  }
  const std::string root_ = test_folder(), folder_ = root_ + "leveldb";
};

TEST_F(LevelDb, ReadsFromManyThreadsAndWritesNothing) {
  constexpr int kCount = 1000;
  write(kCount);
  const std::vector<std::string> before = state();
  {
    const auto source = open_leveldb(folder_, "");
    ASSERT_EQ(source->size(), kCount);
    EXPECT_EQ(source->labels()->least, -1);
    EXPECT_EQ(source->labels()->most, 5);
    EXPECT_EQ(source->name(12), folder_ + ": 00000012");
    std::vector<std::thread> threads;
    std::atomic<int> wrong = 0;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        Record record;
        for (int i = 0; i < 3 * kCount; ++i) {
          const int at = (i * 7 + t * 31) % kCount;
          source->read(at, record);
          wrong += content_of(record) != data(at) || record.label != at % 7 - 1;
        }
      });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
  EXPECT_EQ(state(), before);
}

// What stands in the log alone, because the writer had no more time, is read, too.
TEST_F(LevelDb, ReadsALogWithoutTables) {
  write(10, size_t{1} << 24);
  const auto source = open_leveldb(folder_, "");
  EXPECT_EQ(source->size(), 10);
  Record record;
  source->read(9, record);
  EXPECT_EQ(content_of(record), data(9));
}

TEST_F(LevelDb, ReadsNumbersThatLieApart) {
  leveldb::Options options;
  options.create_if_missing = true;
  leveldb::DB* database = nullptr;
  ASSERT_TRUE(leveldb::DB::Open(options, folder_, &database).ok());
  Datum datum = pixels_datum(1, 1, 2, "", 3);
  datum.add_float_data(1);
  datum.add_float_data(2);
  database->Put({}, "a", datum.SerializeAsString());
  delete database;
  const auto source = open_leveldb(folder_, "");
  Record record;
  source->read(0, record);
  EXPECT_EQ(record.kind, Record::Kind::kNumbers);
  EXPECT_EQ(record.content.size(), 8u);
}

TEST_F(LevelDb, ReadsAFolderThatIsOnlyReadable) {
  if (geteuid() != 0) GTEST_SKIP() << "only root becomes somebody else";
  write(100);
  for (const char* name : {"/LOCK", "/LOG", "/LOG.old"}) fs::remove(folder_ + name);
  const std::vector<std::string> before = state();
  setfsuid(65534);
  const std::string message = refusal();
  setfsuid(0);
  EXPECT_EQ(message, "");
  EXPECT_EQ(state(), before);
}

TEST_F(LevelDb, KeepsAnIndexOfKeysAndLabels) {
  write(200);
  const std::string index = root_ + "index";
  open_leveldb(folder_, index);
  const auto written = fs::last_write_time(index);
  const auto source = open_leveldb(folder_, index);
  EXPECT_EQ(fs::last_write_time(index), written);
  EXPECT_EQ(source->size(), 200);
  EXPECT_EQ(source->labels()->most, 5);
  Record record;
  source->read(150, record);
  EXPECT_EQ(content_of(record), data(150));

  write(210);
  EXPECT_EQ(open_leveldb(folder_, index)->size(), 210);
}

TEST_F(LevelDb, RefusesWhatIsNone) {
  EXPECT_EQ(refusal(), folder_ + ": is no folder; a LevelDB is one");
  fs::create_directories(folder_);
  EXPECT_NE(refusal().find("is no LevelDB, it has no file CURRENT"), std::string::npos);
  write_file(folder_ + "/data.mdb", "");
  EXPECT_NE(refusal().find("say `backend: LMDB`"), std::string::npos);
  fs::remove(folder_ + "/data.mdb");
  write_file(folder_ + "/CURRENT", "MANIFEST-000007\n");
  EXPECT_NE(refusal().find(folder_ + ": cannot be read as a LevelDB"), std::string::npos);
  fs::remove_all(folder_);
  write(0);
  EXPECT_EQ(refusal(), folder_ + ": is a LevelDB without a sample");
}

// A table with a wrong byte, and one that is cut short or gone.
TEST_F(LevelDb, RefusesDamage) {
  write(1000);
  std::string table;
  for (const auto& entry : fs::directory_iterator(folder_))
    if (entry.path().extension() == ".ldb") table = entry.path().string();
  ASSERT_FALSE(table.empty());
  const std::string whole = read_file(table);
  std::string wrong = whole;
  wrong[whole.size() / 3] = static_cast<char>(wrong[whole.size() / 3] ^ 1);
  for (const std::string& content : {wrong, whole.substr(0, whole.size() / 2), std::string()}) {
    write_file(table, content);
    EXPECT_NE(refusal().find(folder_ + ": cannot be read as a LevelDB"), std::string::npos)
        << refusal();
  }
  fs::remove(table);
  EXPECT_NE(refusal().find("cannot be read as a LevelDB"), std::string::npos) << refusal();
}

}  // namespace
}  // namespace orepa
