#include <gtest/gtest.h>

#include "core/input_file.h"
#include "orepa/data_source.h"
#include "orepa/error.h"
#include "tests/data/sources/idx_files.h"
#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa {
namespace {

// What opening says; empty where it succeeds.
std::string refusal(const std::string& images, const std::string& labels = "") {
  return error_of([&] { open_idx(images, labels); });
}

std::vector<int> bytes(const Record& record) {
  return {record.content.begin(), record.content.end()};
}

void expect_refusal(const std::string& path, const std::string& reason) {
  const std::string message = refusal(path);
  EXPECT_EQ(message.rfind(path, 0), 0u) << message;
  EXPECT_NE(message.find(reason), std::string::npos) << message;
}

TEST(Idx, ReadsPlainAndGzippedFiles) {
  const std::string folder = test_folder();
  const std::string images = idx(
      {3, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, static_cast<char>(254), static_cast<char>(255)});
  write_file(folder + "plain", images);
  write_gzipped(folder + "zipped", images);
  write_gzipped(folder + "labels", idx({3}, {5, 0, 9}));
  for (const char* name : {"plain", "zipped"}) {
    const std::unique_ptr<DataSource> source = open_idx(folder + name, folder + "labels");
    EXPECT_EQ(source->size(), 3);
    EXPECT_EQ(source->labels()->least, 0);
    EXPECT_EQ(source->labels()->most, 9);
    Record record;
    source->read(2, record);
    EXPECT_EQ(record.kind, Record::Kind::kPixels);
    EXPECT_EQ((std::vector<int64_t>{record.channels, record.height, record.width}),
              (std::vector<int64_t>{1, 2, 2}));
    EXPECT_EQ(bytes(record), (std::vector<int>{8, 9, 254, 255}));
    EXPECT_EQ(record.label, 9);
    source->read(0, record);
    EXPECT_EQ(bytes(record), (std::vector<int>{0, 1, 2, 3}));
    EXPECT_EQ(record.label, 5);
  }
}

TEST(Idx, KeepsChannelsAsTheyAreStored) {
  const std::string path = test_folder() + "images";
  write_file(path, idx({1, 2, 1, 3}, {1, 2, 3, 11, 12, 13}));
  const std::unique_ptr<DataSource> source = open_idx(path, "");
  EXPECT_EQ(source->labels(), nullptr);
  Record record;
  source->read(0, record);
  EXPECT_EQ(record.channels, 2);
  EXPECT_EQ(bytes(record), (std::vector<int>{1, 2, 3, 11, 12, 13}));
}

TEST(Idx, RefusesBadFiles) {
  const std::string folder = test_folder(), path = folder + "bad";
  const std::string good = idx({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  expect_refusal(folder + "absent", "No such file");
  expect_refusal(folder, "is a folder");
  write_file(path, "");
  expect_refusal(path, "starts with nothing");
  write_file(path, "P5 2 2 255");
  expect_refusal(path, "expected 0x00000803 or 0x00000804");
  write_file(path, idx({2, 2, 2}, std::string(32, 'x'), 0x0d));
  expect_refusal(path, "starts with 0x00000d03");
  write_file(path, good.substr(0, 10));
  expect_refusal(path, "ends inside the header");
  write_file(path, good.substr(0, good.size() - 1));
  expect_refusal(path, "is cut short: its header says 2 x 2 x 2 = 8 bytes, it has 7");
  write_file(path, good + "x");
  expect_refusal(path, "is longer than the 8 bytes");
  write_file(path, idx({2, -3, 2}, "12345678"));
  expect_refusal(path, "extent 1 is -3");
  write_file(path, idx({0, 2, 2}, ""));
  expect_refusal(path, "extent 0 is 0");
  write_file(path, idx({2147483647, 1000, 1000}, "12345678"));
  expect_refusal(path, "is cut short");
  write_file(path, idx({2147483647, 2147483647, 2147483647}, "12345678"));
  expect_refusal(path, "more bytes than there are addresses");
}

TEST(Idx, RefusesDamagedCompression) {
  const std::string path = test_folder() + "bad.gz";
  std::string pixels;
  for (int i = 0; i < 4000; ++i) pixels += static_cast<char>(i * i % 251);
  write_gzipped(path, idx({10, 20, 20}, pixels));
  const std::string whole = read_file(path);
  ASSERT_EQ(refusal(path), "");
  for (const size_t length : {whole.size() - 1, whole.size() - 9, whole.size() / 2, size_t{12}}) {
    write_file(path, whole.substr(0, length));
    EXPECT_NE(refusal(path).find(path), std::string::npos) << length;
  }
  // After the 10 bytes of the header, everything is covered by the checksum or its own check.
  for (size_t at = 10; at < whole.size(); at += 97) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x41);
    write_file(path, changed);
    EXPECT_NE(refusal(path).find(path), std::string::npos) << at;
  }
}

TEST(Idx, ChecksLabels) {
  const std::string folder = test_folder();
  write_file(folder + "images", idx({2, 1, 1}, {1, 2}));
  write_file(folder + "labels", idx({3}, {0, 1, 2}));
  EXPECT_EQ(refusal(folder + "images", folder + "labels"),
            folder + "labels: has 3 labels, but " + folder + "images has 2 images");
  EXPECT_NE(refusal(folder + "images", folder + "images").find("expected 0x00000801"),
            std::string::npos);
}

}  // namespace
}  // namespace orepa
