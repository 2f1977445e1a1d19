#include <gtest/gtest.h>
#include <sys/stat.h>

#include "data/sources/sources.h"
#include "orepa/error.h"
#include "tests/data/sources/samples.h"
#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa {
namespace {

namespace fs = std::filesystem;

class Folder : public testing::Test {
 protected:
  void add(const std::string& path, const std::string& content = "") {
    fs::create_directories((fs::path(root_) / path).parent_path());
    write_file(root_ + path, content.empty() ? path : content);
  }
  std::string refusal() const {
    return error_of([&] { open_folder(root_, ""); });
  }
  const std::string root_ = test_folder() + "set/";
  void SetUp() override { fs::create_directories(root_); }
};

// Classes and files come in the order of their bytes; what is no image, or hidden, is passed over.
TEST_F(Folder, FindsImagesAtAnyDepth) {
  for (const char* path :
       {"b/2.jpg", "b/10.JPEG", "b/deep/er/1.png", "b-/x.Jpg", "Z/\xc3\xa9 e.jpg", "a/.hidden.jpg",
        ".git/x.jpg", "b/notes.txt", "b/.thumbs/1.jpg"})
    add(path);
  fs::create_directories(root_ + "empty");
  const auto source = open_folder(root_, "");
  EXPECT_EQ(source->classes(), (std::vector<std::string>{"Z", "a", "b", "b-", "empty"}));
  EXPECT_EQ(samples_of(*source, root_),
            (std::vector<std::string>{"Z/\xc3\xa9 e.jpg=Z/\xc3\xa9 e.jpg=0",
                                      "b/10.JPEG=b/10.JPEG=2", "b/2.jpg=b/2.jpg=2",
                                      "b/deep/er/1.png=b/deep/er/1.png=2", "b-/x.Jpg=b-/x.Jpg=3"}));
  EXPECT_EQ(source->labels()->least, 0);
  EXPECT_EQ(source->labels()->most, 3);
}

TEST_F(Folder, HasOneSampleOfOneClass) {
  add("only/1.png", std::string("\0\xff", 2));
  const auto source = open_folder(root_, "");
  ASSERT_EQ(source->size(), 1);
  Record record;
  source->read(0, record);
  EXPECT_EQ(content_of(record), std::string("\0\xff", 2));
  EXPECT_EQ(record.kind, Record::Kind::kFile);
}

TEST_F(Folder, FollowsLinks) {
  add("a/1.jpg");
  add("elsewhere/x/2.jpg");
  fs::create_directories(root_ + "set");
  fs::create_directory_symlink(root_ + "elsewhere/x", root_ + "set/linked");
  fs::create_directories(root_ + "set/files");
  fs::create_symlink(root_ + "a/1.jpg", root_ + "set/files/link.jpg");
  const auto source = open_folder(root_ + "set", "");
  EXPECT_EQ(
      samples_of(*source, root_ + "set/"),
      (std::vector<std::string>{"files/link.jpg=a/1.jpg=0", "linked/2.jpg=elsewhere/x/2.jpg=1"}));
}

TEST_F(Folder, RefusesCirclesAndLinksToNowhere) {
  add("a/1.jpg");
  fs::create_directory_symlink("..", root_ + "a/up");
  EXPECT_NE(refusal().find("is a link to a folder that it lies in"), std::string::npos)
      << refusal();
  fs::remove(root_ + "a/up");
  fs::create_symlink("gone", root_ + "a/2.jpg");
  EXPECT_EQ(refusal(), root_ + "a/2.jpg: is a link that leads nowhere");
}

TEST_F(Folder, RefusesWhatHasNoClassesOrImages) {
  EXPECT_NE(refusal().find("set: has no folders; expected one for each class, with its images"),
            std::string::npos);
  fs::create_directories(root_ + "a");
  EXPECT_NE(refusal().find("has no images in its folders"), std::string::npos) << refusal();
  add("a/1.jpg");
  add("stray.png");
  EXPECT_NE(refusal().find("has images (stray.png) beside the folders"), std::string::npos);
  EXPECT_NE(error_of([&] { open_folder(root_ + "absent", ""); }).find("is no folder"),
            std::string::npos);
  EXPECT_NE(error_of([&] { open_folder(root_ + "stray.png", ""); }).find("is no folder"),
            std::string::npos);
}

// What changes after opening is an error of the sample.
TEST_F(Folder, NamesTheFileThatCannotBeRead) {
  add("a/1.jpg");
  add("a/2.jpg");
  add("a/3.jpg", " ");
  const auto source = open_folder(root_, "");
  fs::remove(root_ + "a/1.jpg");
  fs::remove(root_ + "a/2.jpg");
  ASSERT_EQ(mkfifo((root_ + "a/2.jpg").c_str(), 0600), 0);
  write_file(root_ + "a/3.jpg", "");
  Record record;
  EXPECT_EQ(error_of([&] { source->read(0, record); }),
            root_ + "a/1.jpg: cannot be read: No such file or directory");
  EXPECT_EQ(error_of([&] { source->read(1, record); }), root_ + "a/2.jpg: is no regular file");
  source->read(2, record);
  EXPECT_TRUE(record.content.empty());
}

}  // namespace
}  // namespace orepa
