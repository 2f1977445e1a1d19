// What a training writes for its report.
#include <gmock/gmock.h>

#include <sstream>

#include "tests/data/image_files.h"
#include "tests/io/events/read_events.h"
#include "tests/tools/tool_fixture.h"
#include "tools/line_file.h"
#include "tools/report/json_files.h"

namespace orepa {
namespace {

using testing::HasSubstr;
using tool::Json;

class RunReportTest : public ToolTest {
 protected:
  int train(std::vector<std::string> more) {
    const std::vector<std::string> first{"train", "--solver", solver_, "--run", run_};
    more.insert(more.begin(), first.begin(), first.end());
    return run(more);
  }
  void make_run(int64_t iterations, const std::string& more) {
    make_task(iterations);
    solver_ = file("solver.prototxt", read_file(solver_) + " " + more);
  }
  std::vector<std::string> lines(const std::string& name) const {
    std::istringstream in(read_file(run_ + name));
    std::vector<std::string> found;
    for (std::string line; std::getline(in, line);) found.push_back(line);
    return found;
  }
  std::vector<std::string> event_files() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(run_))
      if (entry.path().filename().string().starts_with("events.out.tfevents."))
        found.push_back(entry.path());
    return found;
  }
  bool has(const std::string& name) const { return std::filesystem::exists(run_ + name); }

  const std::string run_ = folder_ + "run/";
  static constexpr const char* kTests = "test_interval: 2 snapshot: 2 display: 1 ";
};

TEST_F(RunReportTest, WritesWhatAReportShows) {
  make_run(5, kTests);
  ASSERT_EQ(train({"--tensorboard"}), kDone) << output_;
  EXPECT_EQ(tool::read_json(run_ + "network.json")["batch"], 16);

  const Json last_test = tool::read_json(run_ + "last_test.json");
  EXPECT_EQ(last_test["iteration"], 5);
  EXPECT_EQ(last_test["net"], 0);
  EXPECT_EQ(last_test["classes"], Json::parse(R"(["0", "1"])"));  // IDX knows no names
  int64_t samples = 0;
  for (const auto& row : last_test["confusion"])
    for (const auto& count : row) samples += count.get<int64_t>();
  EXPECT_EQ(samples, 70);

  // Those between may be left out, for they are to take 1 % of the time.
  const std::vector<std::string> branches = lines("branches.jsonl");
  ASSERT_GE(branches.size(), 2u);
  EXPECT_EQ(Json::parse(branches.front())["iteration"], 0);
  EXPECT_EQ(Json::parse(branches.back())["iteration"], 5);
  EXPECT_EQ(Json::parse(branches.back())["layers"].size(), 1u);

  const std::string page = read_file(run_ + "report.html");
  for (const char* part : {"\"confusion\"", "\"conv\"", "max_iter"})
    EXPECT_THAT(page, HasSubstr(part));
  ASSERT_EQ(event_files().size(), 1u);
  const std::string events = read_file(event_files()[0]);
  for (const char* tag : {"train/loss", "train/rate", "test/accuracy", "test/loss"})
    EXPECT_THAT(events, HasSubstr(tag));
}

TEST_F(RunReportTest, WritesNothingThatIsNotThere) {
  make_run(3, "");
  std::string plain = read_file(net_);
  plain.replace(plain.find("ORepaConv"), 9, "Convolution");
  plain.replace(plain.find("orepa_param { preset: OREPA }"), 29, "");
  write_file(net_, plain);
  ASSERT_EQ(train({}), kDone) << output_;
  EXPECT_TRUE(has("report.html"));
  EXPECT_FALSE(has("last_test.json"));  // nothing was tested
  ASSERT_EQ(train({"--overwrite", "--set", "test_interval=1"}), kDone) << output_;
  EXPECT_TRUE(has("last_test.json"));
  EXPECT_FALSE(has("branches.jsonl"));
  EXPECT_TRUE(event_files().empty());
}

TEST_F(RunReportTest, ARunThatGoesOnDropsLaterBranches) {
  make_run(6, kTests);
  ASSERT_EQ(train({"--tensorboard"}), kDone) << output_;
  EXPECT_EQ(Json::parse(lines("branches.jsonl").back())["iteration"], 6);
  ASSERT_EQ(train({"--tensorboard", "--snapshot", run_ + "snap_iter_2.solverstate", "--set",
                   "max_iter=4"}),
            kDone)
      << output_;
  int64_t before = -1;
  for (const std::string& line : lines("branches.jsonl")) {
    const auto iteration = static_cast<int64_t>(tool::number_of(line, "iteration"));
    EXPECT_GT(iteration, before) << line;
    before = iteration;
  }
  EXPECT_EQ(before, 4);
  EXPECT_EQ(event_files().size(), 2u);

  // What replaces a run removes them.
  ASSERT_EQ(train({"--overwrite", "--set", "test_interval=0"}), kDone) << output_;
  EXPECT_TRUE(event_files().empty());
  EXPECT_FALSE(has("branches.jsonl") || has("last_test.json"));
}

// A test that is made again, of iteration 2, has one point; so has what stands beside it.
TEST_F(RunReportTest, EventFilesHaveEveryPointOnce) {
  make_run(5, kTests);
  ASSERT_EQ(train({"--tensorboard"}), kDone) << output_;
  for (const std::string last : {"4", "6"}) {
    ASSERT_EQ(train({"--tensorboard", "--snapshot", run_ + "snap_iter_2.solverstate", "--set",
                     "max_iter=" + last}),
              kDone)
        << output_;
    for (const auto& [tag, first, step] : {std::tuple("train/loss", 1, 1),
                                           {"train/data_wait", 1, 1},
                                           {"test/loss", 0, 2},
                                           {"test/accuracy", 0, 2}}) {
      std::vector<int64_t> wanted;
      for (int i = first; i <= std::stoi(last); i += step) wanted.push_back(i);
      EXPECT_EQ(event_steps(run_, tag), wanted) << tag;
    }
  }
  // No test is made again where there is none.
  ASSERT_EQ(train({"--tensorboard", "--snapshot", run_ + "snap_iter_4.solverstate", "--set",
                   "test_interval=0"}),
            kDone)
      << output_;
  EXPECT_EQ(event_steps(run_, "train/loss"), (std::vector<int64_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(event_steps(run_, "test/loss"), (std::vector<int64_t>{0, 2, 4}));
}

TEST_F(RunReportTest, AnEarlyEndHasItsBranches) {
  make_run(20, kTests);
  ASSERT_EQ(train({"--set", "early_stop_tests=1", "--set", "base_lr=0"}), kDone) << output_;
  const Json last = Json::parse(lines("test.jsonl").back())["iteration"];
  EXPECT_LT(last, 20);
  EXPECT_EQ(Json::parse(lines("branches.jsonl").back())["iteration"], last);
}

TEST_F(RunReportTest, WhatCannotBeWrittenDoesNotEndATraining) {
  make_run(4, kTests);
  ASSERT_EQ(train({}), kDone) << output_;
  for (const char* name : {"report.html", "network.json", "last_test.json", "branches.jsonl"}) {
    std::filesystem::remove(run_ + name);
    std::filesystem::create_directory(run_ + name);
  }
  std::filesystem::remove(run_ + "branches.jsonl");
  std::filesystem::create_symlink("/dev/full", run_ + "branches.jsonl");
  ASSERT_EQ(train({"--snapshot", "auto", "--set", "max_iter=9"}), kDone) << output_;
  for (const std::string name : {"report.html", "network.json", "last_test.json"}) {
    const std::string warning = "\n" + name + ": ";
    EXPECT_SAYS(warning);  // once, for several tests
    EXPECT_EQ(output_.find(warning), output_.rfind(warning)) << output_;
  }
  EXPECT_SAYS("; the training goes on");
  EXPECT_SAYS("branches.jsonl: cannot be written: ");
  EXPECT_TRUE(has("snap_iter_9.caffemodel"));
}

TEST_F(RunReportTest, ClassesAreCalledAsTheirFoldersAre) {
  const std::string jpeg = jpeg_file(picture({8, 8}));
  for (const char* name : {"cat", "dog"}) {
    std::filesystem::create_directories(folder_ + "images/" + name);
    for (int i = 0; i < 3; ++i)
      write_file(folder_ + "images/" + name + "/" + std::to_string(i) + ".jpg", jpeg);
  }
  net_ = file("folder.prototxt", R"(
layer { name: "data" type: "Data" top: "data" top: "label"
  data_param { backend: FOLDER batch_size: 3 source: ")" +
                                     folder_ + R"(images" } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy"
  include { phase: TEST } }
)");
  solver_ = file("solver.prototxt", "net: \"" + net_ +
                                        "\" base_lr: 0 lr_policy: \"fixed\" max_iter: 1 "
                                        "test_interval: 1 snapshot_prefix: \"" +
                                        folder_ + "snap\"");
  ASSERT_EQ(train({}), kDone) << output_;
  EXPECT_EQ(tool::read_json(run_ + "last_test.json")["classes"], Json::parse(R"(["cat","dog"])"));
}

}  // namespace
}  // namespace orepa
