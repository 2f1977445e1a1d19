#include "data/sources/windows.h"

#include <gtest/gtest.h>

#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa {
namespace {

constexpr const char* kFile = R"(# 0
a.png
3
4
5
4
2 0.9 0 1 2 3
3 0.5 1 1 1 1
4 0.4 0 0 4 3
5 0.1 2 0 3 3
# 1
b.png 3 4 5
1
7 0.2 0 0 0 0
)";

class Windows : public testing::Test {
 protected:
  WindowFile open(const std::string& content, float foreground = 0.5f, float background = 0.3f) {
    write_file(path_, content);
    return WindowFile({path_, folder_, foreground, background, false});
  }
  std::string refusal(const std::string& content) {
    const std::string what = error_of([&] { open(content); });
    return what.starts_with(path_ + ":") ? what.substr(path_.size() + 1) : what;
  }
  const std::string folder_ = test_folder(), path_ = folder_ + "windows.txt";
};

TEST_F(Windows, AreForegroundOrBackgroundByTheirOverlap) {
  const WindowFile file = open(kFile);
  EXPECT_EQ(file.foreground(), 2);
  ASSERT_EQ(file.size(), 4);
  EXPECT_EQ(file.name(0), folder_ + "a.png, window 0 1 2 3");
  EXPECT_EQ(file.name(1), folder_ + "a.png, window 1 1 1 1");  // 0.5 is enough
  EXPECT_EQ(file.name(2), folder_ + "a.png, window 2 0 3 3");  // 0.4 is neither
  EXPECT_EQ(file.name(3), folder_ + "b.png, window 0 0 0 0");
  EXPECT_EQ(file.labels()->least, 0);
  EXPECT_EQ(file.labels()->most, 3);
}

TEST_F(Windows, HaveTheirClassOrThatOfTheBackground) {
  for (const bool keep : {false, true}) {
    write_file(path_, kFile);
    write_file(folder_ + "a.png", "first");
    write_file(folder_ + "b.png", "second");
    const WindowFile file({path_, folder_, 0.5f, 0.3f, keep});
    Record record;
    file.read(1, record);
    EXPECT_EQ(record.label, 3);
    EXPECT_EQ(std::string(record.content.begin(), record.content.end()), "first");
    ASSERT_TRUE(record.window.has_value());
    EXPECT_EQ(record.window->left, 1);
    file.read(2, record);
    EXPECT_EQ(record.label, 0);
    EXPECT_EQ(record.window->left, 2);
    EXPECT_EQ(record.window->top, 0);
    EXPECT_EQ(record.window->right, 3);
    EXPECT_EQ(record.window->bottom, 3);
    file.read(3, record);
    EXPECT_EQ(std::string(record.content.begin(), record.content.end()), "second");
    std::filesystem::remove(folder_ + "b.png");
    EXPECT_EQ(error_of([&] { file.read(3, record); }).empty(), keep);
  }
}

TEST_F(Windows, SayWhereTheFileIsWrong) {
  EXPECT_EQ(refusal("\n0\n"), "2: expected \"# NUMBER\", with which an image begins, got \"0\"");
  EXPECT_EQ(refusal("# x"), "1: expected the number of an image, got \"x\"");
  EXPECT_EQ(refusal("# 0"), "1: expected the path of an image");
  EXPECT_EQ(refusal("# 0\na.png\n3\n4\n"), "5: expected the width, got \"\"");
  EXPECT_EQ(refusal("# 0\na.png\n3\n4\n5\n1\n1 much 0 0 1 1"),
            "7: expected the overlap of a window, got \"much\"");
  EXPECT_EQ(refusal("# 0\na.png\n3\n4\n5\n1\n1 0.5 2 0 1 1"),
            "7: a window from (2, 0) to (1, 1) is empty");
  EXPECT_EQ(refusal("# 0\na.png\n3\n4\n5\n1\n0 0.5 0 0 1 1"),
            "7: a window of the foreground has the class 0; 0 is the background's");
  EXPECT_NE(refusal("# 0\na.png\n3\n4\n5\n1\n1 0.4 0 0 1 1").find("has no window"),
            std::string::npos);
}

}  // namespace
}  // namespace orepa
