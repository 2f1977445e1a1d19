#include <gtest/gtest.h>

#include "data/sources/sources.h"
#include "orepa/error.h"
#include "tests/data/sources/samples.h"
#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa {
namespace {

class ImageList : public testing::Test {
 protected:
  std::string refusal(const std::string& content) const {
    write_file(list_, content);
    return error_of([&] { open_list(list_, root_); });
  }
  const std::string root_ = test_folder(), list_ = root_ + "list.txt";
};

TEST_F(ImageList, ReadsPathsWithSpaces) {
  write_file(root_ + "a b.jpg", "one");
  write_file(root_ + "c.png", "two");
  // The root stands before a path as it is: here it ends in a slash.
  write_file(list_, "a b.jpg 3\r\n\nc.png\t-1  \na b.jpg 2147483647");
  const auto source = open_list(list_, root_);
  EXPECT_EQ(samples_of(*source, root_),
            (std::vector<std::string>{"a b.jpg=one=3", "c.png=two=-1", "a b.jpg=one=2147483647"}));
  EXPECT_EQ(source->labels()->least, -1);
  EXPECT_EQ(source->labels()->most, 2147483647);
  EXPECT_TRUE(source->classes().empty());
  write_file(list_, root_ + "c.png 0");
  EXPECT_EQ(samples_of(*open_list(list_, ""), root_), (std::vector<std::string>{"c.png=two=0"}));
}

TEST_F(ImageList, NamesTheLine) {
  EXPECT_EQ(refusal("a.jpg 1\n\nb c.jpg\n"),
            list_ + ":3: is \"b c.jpg\", expected a path, a space and a label, an integer");
  for (const char* line :
       {"a.jpg", "7", " 7", "a.jpg 1.5", "a.jpg x", "a.jpg 99999999999", "a.jpg 0x1", "a.jpg +1"})
    EXPECT_NE(refusal(line).find(list_ + ":1: is "), std::string::npos) << line;
  for (const char* nothing : {"", "\n", " \r\n\t\n"})
    EXPECT_EQ(refusal(nothing), list_ + ": names no image; expected lines of a path and a label");
  EXPECT_NE(error_of([&] { open_list(root_ + "absent", ""); }).find("No such file"),
            std::string::npos);
}

TEST_F(ImageList, NamesTheFileThatIsNotThere) {
  write_file(list_, "gone.jpg 0");
  const auto source = open_list(list_, root_);
  Record record;
  EXPECT_EQ(error_of([&] { source->read(0, record); }),
            root_ + "gone.jpg: cannot be read: No such file or directory");
}

}  // namespace
}  // namespace orepa
