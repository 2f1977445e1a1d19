// The files to which a run adds lines.
#include "tools/line_file.h"

#include <gtest/gtest.h>

#include "core/input_file.h"
#include "tests/files.h"

namespace orepa::tool {
namespace {

TEST(LineFile, KeepsLinesUntilThereIsAFile) {
  const std::string path = test_folder() + "log";
  LineFile file;
  EXPECT_EQ(file.add("one"), "");
  file.open(path);
  EXPECT_EQ(file.add("two"), "");
  EXPECT_EQ(read_file(path), "one\ntwo\n");
  LineFile again;
  again.open(path);
  again.add("three");
  EXPECT_EQ(read_file(path), "one\ntwo\nthree\n");
}

TEST(LineFile, AFullDiskIsSaidOnce) {
  LineFile file;
  file.open("/dev/full");
  const std::string problem = file.add("one");
  EXPECT_NE(problem.find("/dev/full: cannot be written: "), std::string::npos) << problem;
  EXPECT_EQ(file.add("two"), "");
  const std::string path = test_folder() + "elsewhere";
  file.open(path);
  EXPECT_EQ(file.add("three"), path + ": is written again; no line is missing");
  EXPECT_EQ(read_file(path), "one\ntwo\nthree\n");
}

TEST(LineFile, IsCutAtAnIteration) {
  const std::string path = test_folder() + "lines";
  EXPECT_EQ(lines_until(path, 9), "");
  const std::string one = "{\"iteration\": 1, \"seconds\": 2.5}\n", two = "{\"iteration\":2}\n";
  write_file(path, one + two + "{\"iteration\": 3}\n" + two + "{\"iteration\": 1");
  EXPECT_EQ(lines_until(path, 2), one + two + two);
  EXPECT_EQ(lines_until(path, 1), one);
  EXPECT_EQ(lines_until(path, -1), "");
  EXPECT_EQ(number_of(one, "seconds"), 2.5);
  EXPECT_EQ(number_of(two, "seconds"), -1);
}

}  // namespace
}  // namespace orepa::tool
