// The page as a text: what it embeds, and that it needs nothing but itself. tests/report shows it
// to a browser.
#include "tools/report/page.h"

#include <gtest/gtest.h>

#include <cmath>
#include <regex>

namespace orepa::tool {
namespace {

Curve curve(const std::string& name, const std::vector<double>& values) {
  Curve made{name, {}};
  for (size_t i = 0; i < values.size(); ++i)
    made.points.push_back({static_cast<int64_t>(i + 1), 0.5 * static_cast<double>(i), values[i]});
  return made;
}

TrainingRun small_run(const std::string& name) {
  TrainingRun run;
  run.name = name;
  run.training = {curve("loss", {3, 2, 2.5}), curve("rate", {0.1, 0.1, 0.01})};
  run.tests = {curve("accuracy", {0.25, 0.75, 0.5}), curve("loss", {3, 1, 2})};
  return run;
}

// What the page's script reads.
Json embedded_in(const std::string& page) {
  const std::string start = "<script id=\"data\" type=\"application/json\">";
  const size_t begin = page.find(start) + start.size();
  return Json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

const Json& chart(const Json& data, const std::string& title) {
  for (const Json& chart : data["charts"])
    if (chart["title"] == title) return chart;
  ADD_FAILURE() << "there is no chart " << title;
  return data;
}

TEST(Page, NeedsNothingButItself) {
  const std::string page = page_of({small_run("one")});
  const std::regex address("[a-z]+://[^\"' ]*");
  for (std::sregex_iterator at(page.begin(), page.end(), address), end; at != end; ++at)
    EXPECT_EQ(at->str(), "http://www.w3.org/2000/svg");
  for (const char* word : {"@import", "url(", "<link rel=\"stylesheet", "<script src", "fetch(",
                           "XMLHttpRequest", "import("})
    EXPECT_EQ(page.find(word), std::string::npos) << word;
  EXPECT_EQ(page.find("{{"), std::string::npos) << "a place of the page was not filled";
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>"));
  EXPECT_TRUE(page.ends_with("</html>\n"));
}

// Nothing that stands in a run's files ends the script that holds it, or fills a place of the page.
TEST(Page, HoldsAnyText) {
  TrainingRun run = small_run("</script><script>alert(1)</script>");
  run.solver = "# <!-- {{page}} \"\\ \xff\n";
  const std::string page = page_of({run});
  EXPECT_EQ(page.find("alert(1)</script>"), std::string::npos);
  const Json data = embedded_in(page);
  EXPECT_EQ(data["title"], run.name);
  EXPECT_EQ(data["runs"][0]["solver"], "# <!-- {{page}} \"\\ \xEF\xBF\xBD\n");
}

TEST(Page, HasAChartForWhatThereIs) {
  const Json data = embedded_in(page_of({small_run("one")}));
  std::vector<std::string> titles;
  for (const Json& chart : data["charts"]) titles.push_back(chart["title"]);
  EXPECT_EQ(titles, (std::vector<std::string>{"Loss", "Accuracy", "Learning rate"}));
  const Json& loss = chart(data, "Loss")["curves"];
  ASSERT_EQ(loss.size(), 2u);
  EXPECT_EQ(loss[0]["name"], "training");
  EXPECT_EQ(loss[0]["iterations"], Json::parse("[1,2,3]"));
  EXPECT_EQ(loss[0]["epochs"], Json::parse("[0.0,0.5,1.0]"));
  EXPECT_EQ(loss[0]["values"], Json::parse("[3.0,2.0,2.5]"));
  EXPECT_EQ(loss[1]["name"], "test loss");
}

// An output that leaves 0 to 1 is no share: it has a chart of its own.
TEST(Page, PutsSharesTogetherAndOthersApart) {
  TrainingRun first = small_run("first"), second = small_run("second");
  first.tests.push_back(curve("top5", {0.5, 1}));
  first.tests.push_back(curve("error", {0.5, 1}));
  second.tests.push_back(curve("error", {7}));
  const Json data = embedded_in(page_of({first, second}));
  EXPECT_EQ(data["title"], "Comparison of 2 runs");
  std::vector<std::string> shares;
  for (const Json& curve : chart(data, "Accuracy")["curves"])
    shares.push_back(curve["name"].get<std::string>() + std::to_string(curve["run"].get<int>()));
  EXPECT_EQ(shares, (std::vector<std::string>{"test accuracy0", "test accuracy1", "test top50"}));
  EXPECT_EQ(chart(data, "Test: error")["curves"].size(), 2u);
}

TEST(Page, HasLastAndBestFigures) {
  TrainingRun run = small_run("one");
  run.training.push_back(curve("images_per_second", {100, 300, 200}));
  const Json figures = page_data({run})["runs"][0]["figures"];
  EXPECT_EQ(figures["iteration"], 3);
  EXPECT_EQ(figures["loss"], 2.5);
  EXPECT_EQ(figures["images_per_second"], 200);
  EXPECT_EQ(figures["outputs"]["accuracy"],
            Json::parse(R"({"last":0.5,"best":0.75,"iteration":2})"));
  EXPECT_EQ(figures["outputs"]["loss"], Json::parse(R"({"last":2.0,"best":1.0,"iteration":2})"));
}

TEST(Page, ThinsLongRunsAndAddsTheirMeans) {
  TrainingRun run;
  run.name = "long";
  std::vector<double> values;
  for (int i = 0; i < 100000; ++i) values.push_back(1 + std::sin(i));
  values[77777] = 9;
  run.training = {curve("loss", values)};
  const std::string page = page_of({run});
  EXPECT_LT(page.size(), 150u << 10);
  const Json curve = embedded_in(page)["charts"][0]["curves"][0];
  EXPECT_LE(curve["values"].size(), kMostPoints);
  double highest = 0;
  for (const Json& value : curve["values"]) highest = std::max(highest, value.get<double>());
  EXPECT_EQ(highest, 9);
  ASSERT_EQ(curve["mean"]["values"].size(), kMeans);
  for (const Json& mean : curve["mean"]["values"]) EXPECT_NEAR(mean.get<double>(), 1, 0.05);
  EXPECT_FALSE(page_data({small_run("short")})["charts"][0]["curves"][0].contains("mean"));
}

TEST(Page, RunsWithoutATestHaveOne) {
  TrainingRun run = small_run("training alone");
  run.tests.clear();
  const Json data = page_data({run});
  EXPECT_EQ(data["outputs"].size(), 0u);
  EXPECT_EQ(data["charts"].size(), 2u);
  EXPECT_TRUE(data["runs"][0]["network"].is_null());
}

}  // namespace
}  // namespace orepa::tool
