// orepa_tool dataset.
#include <csignal>

#include "data/sources/sources.h"
#include "orepa.pb.h"
#include "tests/data/image_files.h"
#include "tests/data/sources/samples.h"
#include "tests/tools/tool_fixture.h"

namespace orepa {
namespace {

namespace fs = std::filesystem;

class DatasetTool : public ToolTest {
 protected:
  // Two classes: a grey JPEG, two coloured ones, a PNG.
  void SetUp() override {
    ToolTest::SetUp();
    for (const char* name : {"cat", "dog"}) fs::create_directories(source_ + "/" + name);
    write_file(source_ + "/cat/1.jpg", jpeg_file(picture({40, 60}, 1)));
    write_file(source_ + "/cat/2.jpg", jpeg_file(picture({64, 32})));
    write_file(source_ + "/dog/3.jpg", jpeg_file(picture({100, 80})));
    write_file(source_ + "/dog/4.png", png_file(picture({8, 8})));
  }
  int dataset(const std::string& command, std::vector<std::string> words) {
    words.insert(words.begin(), {"dataset", command});
    return run(words);
  }
  std::vector<std::string> paths_in(const std::string& folder) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
  const std::string source_ = folder_ + "set", built_ = folder_ + "built";
};

TEST_F(DatasetTool, DescribesASet) {
  ASSERT_EQ(dataset("info", {"--source", source_}), kDone) << output_;
  for (const char* words :
       {"FOLDER, 4 samples", "cat", "JPEG, grey", "JPEG, colour", "PNG, colour"})
    EXPECT_SAYS(words);
  write_file(source_ + "/cat/9.jpg", "no image");
  ASSERT_EQ(dataset("info", {"--source", source_}), kDone);
  EXPECT_SAYS("no image that can be read");
}

TEST_F(DatasetTool, ListsBadSamples) {
  ASSERT_EQ(dataset("verify", {"--source", source_}), kDone) << output_;
  EXPECT_SAYS("all 4 samples are good");
  const std::string whole = read_file(source_ + "/dog/3.jpg");
  write_file(source_ + "/dog/3.jpg", whole.substr(0, whole.size() / 2));
  write_file(source_ + "/cat/2.jpg", "");
  ASSERT_EQ(dataset("verify", {"--source", source_, "--threads", "3"}), kFailed) << output_;
  EXPECT_SAYS(source_ + "/dog/3.jpg: ");
  EXPECT_SAYS(source_ + "/cat/2.jpg: ");
  EXPECT_SAYS("2 of 4 samples are bad");
  EXPECT_EQ(read_file(source_ + "/cat/2.jpg"), "");
}

TEST_F(DatasetTool, BuildsAnLmdbOfTheSameFiles) {
  ASSERT_EQ(dataset("build", {"--source", source_, "--output", built_, "--to", "lmdb"}), kDone)
      << output_;
  EXPECT_EQ(read_file(built_ + "/classes.txt"), "cat\ndog\n");
  EXPECT_FALSE(fs::exists(built_ + "/unfinished"));
  const auto folder = open_folder(source_, ""), lmdb = open_lmdb(built_);
  ASSERT_EQ(lmdb->size(), 4);
  Record a, b;
  for (int64_t i = 0; i < 4; ++i) {
    folder->read(i, a);
    lmdb->read(i, b);
    EXPECT_EQ(content_of(a), content_of(b));
    EXPECT_EQ(a.label, b.label);
    EXPECT_EQ(lmdb->name(i), built_ + ": 0000000" + std::to_string(i) + "_" +
                                 folder->name(i).substr(source_.size() + 1));
  }
  EXPECT_EQ(dataset("build", {"--source", source_, "--output", built_, "--to", "lmdb"}), kFailed);
  EXPECT_SAYS("is not empty");
}

TEST_F(DatasetTool, BuildsTarFilesAndShrinks) {
  ASSERT_EQ(dataset("build", {"--source", source_, "--output", built_, "--to", "tar", "--resize",
                              "32", "--shard_size", "3", "--shuffle"}),
            kDone)
      << output_;
  EXPECT_EQ(paths_in(built_),
            (std::vector<std::string>{"000000.tar", "000001.tar", "classes.txt"}));
  ASSERT_EQ(dataset("info", {"--source", built_}), kDone) << output_;
  EXPECT_SAYS("TAR, 4 samples");
  const auto tar = open_tar(built_, "", true);
  std::vector<std::string> left;
  Record record;
  for (int64_t i = 0; i < tar->size(); ++i) {
    tar->read(i, record);
    const std::string file = content_of(record);
    if (file == read_file(source_ + "/dog/4.png") || file == read_file(source_ + "/cat/2.jpg")) {
      left.push_back(file);
      continue;
    }
    const Image image = whole_jpeg(file, record.label == 0 ? 1 : 2);
    EXPECT_EQ(image.extent, record.label == 0 ? (Extent{32, 48}) : (Extent{40, 32}));
    EXPECT_EQ(image.channels, record.label == 0 ? 1 : 3);
  }
  EXPECT_EQ(left.size(), 2u);  // small enough as they are

  // The order is a function of nothing but the number of samples.
  const std::string again = folder_ + "again";
  ASSERT_EQ(dataset("build", {"--source", source_, "--output", again, "--to", "tar", "--resize",
                              "32", "--shard_size", "3", "--shuffle", "--threads", "1"}),
            kDone);
  EXPECT_EQ(read_file(again + "/000000.tar"), read_file(built_ + "/000000.tar"));
  EXPECT_EQ(read_file(again + "/000001.tar"), read_file(built_ + "/000001.tar"));
}

// Killed at any time, the same command goes on, and what it makes is the same.
TEST_F(DatasetTool, GoesOnAfterAKill) {
  std::string list;
  for (int i = 0; i < 6000; ++i) list += "dog/3.jpg " + std::to_string(i) + "\n";
  write_file(folder_ + "list", list);
  for (const std::string format : {"lmdb", "tar"}) {
    const std::string killed = folder_ + "killed_" + format, whole = folder_ + "whole_" + format;
    const auto words = [&](const std::string& output) {
      return std::vector<std::string>{
          "dataset",  "build", "--source", folder_ + "list", "--root_folder", source_ + "/",
          "--output", output,  "--to",     format,           "--shard_size",  "500"};
    };
    int kills = 0;
    for (int i = 0; i < 5; ++i) {
      const pid_t child = start(words(killed));
      std::this_thread::sleep_for(std::chrono::milliseconds(60 + 40 * i));
      kill(child, SIGKILL);
      kills += wait(child) == 128 + SIGKILL;
    }
    EXPECT_GT(kills, 0);
    // Where the last start came to its end before it was killed, there is nothing to go on with.
    if (run(words(killed)) != kDone) {
      EXPECT_SAYS("is not empty");
    }
    ASSERT_EQ(run(words(whole)), kDone) << output_;
    const auto open = [&](const std::string& folder) {
      return format == "lmdb" ? open_lmdb(folder) : open_tar(folder, "", true);
    };
    const auto a = open(killed), b = open(whole);
    ASSERT_EQ(a->size(), 6000);
    Record x, y;
    for (int64_t i = 0; i < a->size(); ++i) {
      a->read(i, x);
      b->read(i, y);
      ASSERT_EQ(x.label, i);
      ASSERT_EQ(content_of(x), content_of(y));
    }
  }
  EXPECT_EQ(dataset("build", {"--source", folder_ + "list", "--output", folder_, "--to", "lmdb"}),
            kFailed);
}

TEST_F(DatasetTool, RefusesOtherSettingsAndBadImages) {
  write_file(source_ + "/dog/bad.jpg", "no image");
  EXPECT_EQ(
      dataset("build", {"--source", source_, "--output", built_, "--to", "lmdb", "--longer", "50"}),
      kFailed);
  EXPECT_SAYS(source_ + "/dog/bad.jpg: ");
  EXPECT_SAYS("`orepa_tool dataset verify` lists");
  fs::remove(source_ + "/dog/bad.jpg");
  EXPECT_EQ(dataset("build", {"--source", source_, "--output", built_, "--to", "tar"}), kFailed);
  EXPECT_SAYS("was begun with other settings");
}

TEST_F(DatasetTool, WritesCaffesMeanFile) {
  Image image;
  image.resize({1, 2}, 3);
  std::copy_n("\x0a\x14\x1e\x28\x32\x3c", 6, image.pixels.begin());
  fs::remove_all(source_);
  fs::create_directories(source_ + "/a");
  write_file(source_ + "/a/1.png", png_file(image));
  std::copy_n("\x14\x14\x1e\x28\x32\x40", 6, image.pixels.begin());
  write_file(source_ + "/a/2.png", png_file(image));
  const std::string mean = folder_ + "mean.binaryproto";
  ASSERT_EQ(dataset("mean", {"--source", source_, "--output", mean}), kDone) << output_;
  EXPECT_SAYS("2 images of 1 x 2");
  EXPECT_SAYS("46.000");  // blue: (30 + 60 + 30 + 64) / 4
  BlobProto blob;
  ASSERT_TRUE(blob.ParseFromString(read_file(mean)));
  EXPECT_EQ(blob.num(), 1);
  EXPECT_EQ(blob.channels(), 3);
  EXPECT_EQ(blob.width(), 2);
  EXPECT_EQ(std::vector<float>(blob.data().begin(), blob.data().end()),
            (std::vector<float>{30, 62, 20, 50, 15, 40}));  // B, G, R

  write_file(source_ + "/a/3.png", png_file(picture({5, 5})));
  EXPECT_EQ(dataset("mean", {"--source", source_, "--output", mean}), kFailed);
  EXPECT_SAYS("images have several sizes");
  EXPECT_EQ(
      dataset("mean", {"--source", source_, "--output", mean, "--height", "4", "--width", "6"}),
      kDone);
  EXPECT_SAYS("3 images of 4 x 6");
  EXPECT_EQ(dataset("mean", {"--source", source_}), kDone);
}

TEST_F(DatasetTool, IsCalledByTwoWords) {
  EXPECT_EQ(run({"dataset"}), kUsage);
  EXPECT_SAYS("dataset build");
  EXPECT_EQ(run({"dataset", "--source", source_}), kUsage);
  EXPECT_EQ(run({"dataset", "verfy", "--source", source_}), kUsage);
  EXPECT_SAYS("did you mean dataset verify?");
  EXPECT_EQ(run({"dataset", "info", "--help"}), kDone);
  EXPECT_SAYS("--backend");
  EXPECT_EQ(run({"dataset", "info"}), kUsage);
  EXPECT_SAYS("needs the flag --source");
}

}  // namespace
}  // namespace orepa
