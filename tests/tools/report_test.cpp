// orepa_tool report as a user calls it.
#include <filesystem>

#include "tests/tools/tool_fixture.h"

namespace orepa {
namespace {

class ReportTest : public ToolTest {
 protected:
  std::string make_run(const std::string& name) {
    std::filesystem::create_directories(folder_ + name);
    file(name + "/train.jsonl", "{\"iteration\":1,\"epoch\":0,\"loss\":1}\n");
    return folder_ + name;
  }
  int report(std::vector<std::string> words) {
    words.insert(words.begin(), "report");
    return run(words);
  }
  bool has(const std::string& path, const std::string& words) const {
    return read_file(path).find(words) != std::string::npos;
  }
};

TEST_F(ReportTest, WritesThePageIntoTheRunsFolder) {
  const std::string run = make_run("first");
  EXPECT_EQ(report({run}), kDone);
  EXPECT_SAYS("wrote " + run + "/report.html");
  EXPECT_TRUE(has(run + "/report.html", "\"title\":\"first\""));
  EXPECT_EQ(report({run, "--output", folder_ + "page.html"}), kDone);
  EXPECT_EQ(read_file(folder_ + "page.html"), read_file(run + "/report.html"));
}

TEST_F(ReportTest, ComparesRunsAndTellsThoseOfOneNameApart) {
  const std::string page = folder_ + "page.html";
  EXPECT_EQ(report({make_run("a/run"), make_run("b/run"), make_run("c"), "--output=" + page}),
            kDone);
  EXPECT_TRUE(has(page, "Comparison of 3 runs"));
  for (const std::string& name : {folder_ + "a/run", folder_ + "b/run", std::string("c")})
    EXPECT_TRUE(has(page, "\"name\":\"" + name + "\"")) << name;
}

TEST_F(ReportTest, SaysWhatIsWrong) {
  EXPECT_EQ(report({}), kUsage);
  EXPECT_SAYS("`report` needs RUN...");
  EXPECT_EQ(report({make_run("first"), make_run("second")}), kUsage);
  EXPECT_SAYS("--output");
  EXPECT_EQ(report({folder_ + "first", "--ouput", "x"}), kUsage);
  EXPECT_SAYS("did you mean --output?");
  EXPECT_EQ(report({folder_}), kFailed);
  EXPECT_SAYS("neither train.jsonl nor test.jsonl");
  EXPECT_EQ(report({"--help"}), kDone);
  EXPECT_SAYS("orepa_tool report RUN... [--flag value ...]");
  // Other commands take no such words.
  EXPECT_EQ(run({"summary", "net.prototxt"}), kUsage);
  EXPECT_SAYS("\"net.prototxt\" is no flag");
}

}  // namespace
}  // namespace orepa
