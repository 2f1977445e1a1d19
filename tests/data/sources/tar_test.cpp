#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>

#include "core/input_file.h"
#include "data/sources/shard_names.h"
#include "data/sources/sources.h"
#include "orepa/error.h"
#include "tests/data/sources/samples.h"
#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa {
namespace {

namespace fs = std::filesystem;
using Members = std::vector<std::pair<std::string, std::string>>;

// Shards are written by GNU tar.
class Tar : public testing::Test {
 protected:
  void write(const std::string& shard, const Members& members, const std::string& format = "gnu") {
    fs::remove_all(root_ + "in");
    std::string names;
    for (const auto& [name, content] : members) {
      const fs::path path = fs::path(root_ + "in") / name;
      fs::create_directories(path.parent_path());
      write_file(path.string(), content);
      names += name + "\n";
    }
    write_file(root_ + "names", names);
    pack(shard, "--format=" + format + " --no-recursion -T " + root_ + "names");
  }
  void pack(const std::string& shard, const std::string& arguments) {
    ASSERT_EQ(
        std::system(("tar -C " + root_ + "in -cf " + root_ + shard + " " + arguments).c_str()), 0);
  }
  std::vector<std::string> samples(const std::string& shards, bool labels = true) const {
    return samples_of(*open_tar(root_ + shards, "", labels), root_);
  }
  std::string refusal(const std::string& shards = "a.tar", bool labels = true) const {
    return error_of([&] { open_tar(root_ + shards, "", labels); });
  }
  const std::string root_ = test_folder();
};

// The formats differ in how they write long names; "ustar" splits them at a slash.
TEST_F(Tar, ReadsSamplesOfEveryFormat) {
  const std::string deep = std::string(60, 'd') + "/" + std::string(80, 'n');
  const std::string long_name(200, 'l');
  for (const std::string format : {"v7", "ustar", "gnu", "oldgnu", "posix"}) {
    Members members = {{"0001.cls", "5\n"},
                       {"0001.jpg", "one"},
                       {"0001.json", "{}"},
                       {"a.b/2.JPEG", ""},
                       {"a.b/2.cls", " -3"}};
    std::vector<std::string> expected = {"a.tar: 0001.jpg=one=5", "a.tar: a.b/2.JPEG==-3"};
    if (format != "v7") {
      members.insert(members.end(), {{deep + ".png", "deep"}, {deep + ".cls", "7"}});
      expected.push_back("a.tar: " + deep + ".png=deep=7");
    }
    if (format != "v7" && format != "ustar") {
      members.insert(members.end(), {{long_name + ".png", "long"}, {long_name + ".cls", "8"}});
      expected.push_back("a.tar: " + long_name + ".png=long=8");
    }
    write("a.tar", members, format);
    EXPECT_EQ(samples("a.tar"), expected) << format;
  }
}

TEST_F(Tar, NamesSamplesUpToTheFirstDot) {
  write("a.tar", {{"x.seg.png", "mask"}, {"x.png", "image"}, {"x.cls", "1"}, {"y.txt", "text"}});
  EXPECT_EQ(samples("a.tar"), (std::vector<std::string>{"a.tar: x.png=image=1"}));
}

TEST_F(Tar, NeedsLabelsOnlyWhereTheyAreWanted) {
  write("a.tar", {{"x.png", "image"}, {"y.png", "image"}, {"y.cls", "3"}});
  EXPECT_EQ(samples("a.tar", false),
            (std::vector<std::string>{"a.tar: x.png=image=0", "a.tar: y.png=image=0"}));
  EXPECT_NE(refusal().find("a.tar: x.png: has no label"), std::string::npos) << refusal();
  // An index that was made without labels knows of them.
  open_tar(root_ + "a.tar", root_ + "index", false);
  EXPECT_NE(
      error_of([&] { open_tar(root_ + "a.tar", root_ + "index", true); }).find("has no label"),
      std::string::npos);
}

TEST_F(Tar, ReadsSeveralShards) {
  for (const char* number : {"08", "09", "10"})
    write(std::string("t-") + number + ".tar", {{"k.jpg", number}, {"k.cls", number + 1}});
  const std::vector<std::string> all = {"t-08.tar: k.jpg=08=8", "t-09.tar: k.jpg=09=9",
                                        "t-10.tar: k.jpg=10=0"};
  EXPECT_EQ(samples("t-{08..10}.tar"), all);
  EXPECT_EQ(samples("t-*.tar"), all);
  EXPECT_EQ(samples("t-?{8,9}.tar"), (std::vector<std::string>{all[0], all[1]}));
  fs::create_directories(root_ + "shards");
  for (const char* name : {"t-10.tar", "t-09.tar"})
    fs::copy_file(root_ + name, root_ + "shards/" + name);
  EXPECT_EQ(samples("shards").size(), 2u);
  EXPECT_NE(refusal("t-{08..11}.tar").find("t-11.tar: cannot be read"), std::string::npos);
  EXPECT_NE(refusal("u-*.tar").find("u-*.tar: no file is named so"), std::string::npos);
  EXPECT_NE(refusal("in").find("has no *.tar"), std::string::npos);
}

TEST(ShardNames, ExpandBraces) {
  EXPECT_EQ(shard_names("a{1..3}{x,}"),
            (std::vector<std::string>{"a1x", "a1", "a2x", "a2", "a3x", "a3"}));
  EXPECT_EQ(shard_names("{098..101}").front(), "098");
  EXPECT_EQ(shard_names("{098..101}").back(), "101");
  for (const char* bad : {"a{1..", "{2..1}", "{a..b}", "{0..99999999}", "{..}", "{1..}"})
    EXPECT_NE(error_of([&] { shard_names(bad); }), "") << bad;
}

TEST_F(Tar, KeepsAnIndexUntilAShardChanges) {
  write("a.tar", {{"x.png", "image"}, {"x.cls", "3"}});
  const std::string index = root_ + "index";
  open_tar(root_ + "a.tar", index, true);
  const auto written = fs::last_write_time(index);
  EXPECT_EQ(samples_of(*open_tar(root_ + "a.tar", index, true), root_),
            (std::vector<std::string>{"a.tar: x.png=image=3"}));
  EXPECT_EQ(fs::last_write_time(index), written);
  write("a.tar", {{"x.png", "image"}, {"x.cls", "4"}, {"y.png", "image"}, {"y.cls", "5"}});
  EXPECT_EQ(open_tar(root_ + "a.tar", index, true)->size(), 2);
}

TEST_F(Tar, RefusesSamplesThatAreWrong) {
  write("a.tar", {{"x.png", "1"}, {"x.jpg", "2"}, {"x.cls", "0"}});
  EXPECT_NE(refusal().find("x.jpg is a second image of the sample x, after x.png"),
            std::string::npos);
  write("a.tar", {{"x.cls", "0"}, {"y.png", "1"}, {"y.cls", "0"}});
  EXPECT_NE(refusal().find("a.tar: the sample x has a label (.cls), but no image"),
            std::string::npos);
  write("a.tar", {{"x.txt", "0"}});
  EXPECT_NE(refusal().find("a.tar: has no sample"), std::string::npos);
  for (const char* label : {"", "cat", "1.5", "1 2", "99999999999", "+1"}) {
    write("a.tar", {{"x.png", "1"}, {"x.cls", label}});
    EXPECT_NE(refusal().find("expected a label, an integer"), std::string::npos) << label;
  }
  write("a.tar", {{"x.png", "1"}, {"x.cls", "1"}});
  fs::create_symlink("x.png", root_ + "in/y.png");
  pack("a.tar", "x.png y.png");
  EXPECT_NE(refusal().find("y.png is a link or a sparse file"), std::string::npos) << refusal();
  // The same file twice in a shard.
  pack("a.tar", "x.cls x.png x.png --hard-dereference");
  EXPECT_NE(refusal().find("second image of the sample x"), std::string::npos) << refusal();
}

// Wherever it is cut, and whatever byte of a header is wrong, it is said.
TEST_F(Tar, RefusesShardsThatAreDamaged) {
  const std::string shard = root_ + "a.tar";
  write("a.tar", {{"x.png", std::string(700, 'x')}, {"x.cls", "0"}});
  const std::string whole = read_file(shard);
  constexpr size_t kEnd = 512 + 1024 + 512 + 512;  // of the last member
  for (size_t length = 0; length <= kEnd; length += 64) {
    write_file(shard, whole.substr(0, length));
    EXPECT_NE(refusal().find(shard + ": at offset "), std::string::npos) << length;
    EXPECT_NE(refusal().find("is cut short"), std::string::npos) << length;
  }
  for (const size_t at : {0, 100, 130, 148, 156, 257, 345, 500}) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] + 1);
    write_file(shard, changed);
    EXPECT_NE(refusal().find(shard + ": at offset 0: "), std::string::npos) << at;
  }
  ASSERT_EQ(std::system(("gzip -kf " + shard).c_str()), 0);
  EXPECT_NE(refusal("a.tar.gz").find("is compressed by gzip"), std::string::npos);
}

TEST_F(Tar, NamesTheShardThatChanged) {
  write("a.tar", {{"x.png", std::string(100, 'x')}, {"x.cls", "0"}});
  const auto source = open_tar(root_ + "a.tar", "", true);
  fs::resize_file(root_ + "a.tar", 520);
  Record record;
  EXPECT_EQ(
      error_of([&] { source->read(0, record); }),
      root_ + "a.tar: is cut short: it ends at offset 520, where 92 more bytes were expected");
}

// More shards than are kept open.
TEST_F(Tar, ReadsManyShards) {
  write("0.tar", {{"x.png", "image"}, {"x.cls", "1"}});
  for (int i = 1; i < 600; ++i) fs::copy_file(root_ + "0.tar", root_ + std::to_string(i) + ".tar");
  const auto source = open_tar(root_ + "{0..599}.tar", "", true);
  Record record;
  for (const int64_t i : {0, 499, 500, 599}) {
    source->read(i, record);
    EXPECT_EQ(content_of(record), "image");
  }
}

}  // namespace
}  // namespace orepa
