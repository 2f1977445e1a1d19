#include "data/sources/sample_index.h"

#include <gtest/gtest.h>

#include "core/input_file.h"
#include "data/sources/sources.h"
#include "orepa/error.h"
#include "tests/data/sources/samples.h"
#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa {
namespace {

namespace fs = std::filesystem;

SampleIndex small_index() {
  SampleIndex index;
  index.states = {{"a folder", 5, 6}, {"another", -7, 8}};
  index.classes = {"cat", ""};
  index.names.add("one");
  index.names.add("");
  index.names.add("three");
  index.labels = {0, -1, 1};
  index.parts = {{1, 2, 0}, {uint64_t{1} << 40, 4, 1}, {5, 6, 0}};
  return index;
}

TEST(SampleIndex, ReadsWhatItWrote) {
  const SampleIndex index = small_index();
  const auto copy = parse_index(index_bytes("source", index), "source");
  ASSERT_TRUE(copy.has_value());
  EXPECT_EQ(copy->states, index.states);
  EXPECT_EQ(copy->classes, index.classes);
  EXPECT_EQ(copy->labels, index.labels);
  ASSERT_EQ(copy->names.size(), 3);
  EXPECT_EQ(copy->names[0], "one");
  EXPECT_EQ(copy->names[1], "");
  EXPECT_EQ(copy->names[2], "three");
  EXPECT_EQ(copy->parts[1].offset, uint64_t{1} << 40);
  EXPECT_EQ(copy->parts[1].file, 1u);
}

TEST(SampleIndex, IsNothingWhereAByteIsWrong) {
  const std::string bytes = index_bytes("source", small_index());
  EXPECT_FALSE(parse_index(bytes, "another source").has_value());
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    EXPECT_FALSE(parse_index(changed, "source").has_value()) << at;
    EXPECT_FALSE(parse_index(bytes.substr(0, at), "source").has_value()) << at;
  }
  SampleIndex wrong = small_index();
  wrong.parts[2].file = 2;
  EXPECT_FALSE(parse_index(index_bytes("source", wrong), "source").has_value());
  wrong = small_index();
  wrong.labels.pop_back();
  EXPECT_FALSE(parse_index(index_bytes("source", wrong), "source").has_value());
}

class KeptIndex : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* path : {"set/a", "set/b/deep"}) fs::create_directories(root_ + path);
    write_file(root_ + "set/a/1.jpg", "one");
    write_file(root_ + "set/b/deep/2.jpg", "two");
  }
  // What a folder's source says, opened with the index.
  std::vector<std::string> samples() const {
    return samples_of(*open_folder(root_ + "set", index_), root_ + "set/");
  }
  void make_older(const std::string& path) const {
    fs::last_write_time(path, fs::last_write_time(path) - std::chrono::seconds(10));
  }
  const std::string root_ = test_folder(), index_ = root_ + "index";
};

TEST_F(KeptIndex, IsUsedUntilAFolderChanges) {
  const std::vector<std::string> both{"a/1.jpg=one=0", "b/deep/2.jpg=two=1"};
  EXPECT_EQ(samples(), both);
  const auto written = fs::last_write_time(index_);
  EXPECT_EQ(samples(), both);
  EXPECT_EQ(fs::last_write_time(index_), written);

  // Behind its back: the folder looks as before, so the index still tells of the file.
  const auto time = fs::last_write_time(root_ + "set/a");
  fs::remove(root_ + "set/a/1.jpg");
  fs::last_write_time(root_ + "set/a", time);
  EXPECT_NE(error_of([&] { samples(); }).find("a/1.jpg: cannot be read"), std::string::npos);

  make_older(root_ + "set/a");
  EXPECT_EQ(samples(), (std::vector<std::string>{"b/deep/2.jpg=two=1"}));
  write_file(root_ + "set/b/deep/3.png", "three");
  make_older(root_ + "set/b/deep");
  EXPECT_EQ(samples(), (std::vector<std::string>{"b/deep/2.jpg=two=1", "b/deep/3.png=three=1"}));
}

TEST_F(KeptIndex, IsMadeAnewWhereItIsDamaged) {
  samples();
  const std::string good = read_file(index_);
  write_file(index_, good.substr(0, good.size() / 2));
  EXPECT_EQ(samples().size(), 2u);
  EXPECT_EQ(read_file(index_), good);
}

TEST_F(KeptIndex, NeverOverwritesAnotherFile) {
  write_file(index_, "my list of images");
  EXPECT_NE(error_of([&] { samples(); }).find(index_ + ": is no index of samples"),
            std::string::npos);
  EXPECT_EQ(read_file(index_), "my list of images");
}

TEST_F(KeptIndex, SaysWhereItCannotBeWritten) {
  EXPECT_NE(error_of([&] {
              open_folder(root_ + "set", root_ + "absent/index");
            }).find("absent/index: cannot be written"),
            std::string::npos);
}

}  // namespace
}  // namespace orepa
