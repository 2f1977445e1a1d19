// What a training leaves behind, how it goes on, and what its flags change.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "tests/tools/tool_fixture.h"
#include "tools/line_file.h"

namespace orepa {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class RunTest : public ToolTest {
 protected:
  // `more` stands in the solver's file.
  void make_run(int64_t iterations, const std::string& more) {
    make_task(iterations);
    solver_ = file("solver.prototxt", read_file(solver_) + " " + more);
  }
  int train(std::vector<std::string> more = {}) { return run(words(std::move(more))); }
  std::vector<std::string> words(std::vector<std::string> more) const {
    const std::vector<std::string> first{"train", "--solver", solver_};
    more.insert(more.begin(), first.begin(), first.end());
    return more;
  }
  // Every file below the folder, with its content.
  std::map<std::string, std::string> all_files() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_))
      if (entry.is_regular_file() && entry.path().filename() != "output")
        files[entry.path().string()] = read_file(entry.path().string());
    return files;
  }
  // The numbers behind a key, line by line.
  std::vector<double> numbers(const std::string& path, const std::string& key) const {
    std::istringstream lines(read_file(path));
    std::vector<double> found;
    for (std::string line; std::getline(lines, line);) found.push_back(tool::number_of(line, key));
    return found;
  }
};

const char* const kTests = "test_interval: 2 snapshot: 2 display: 1 ";

TEST_F(RunTest, WritesWhatHappened) {
  make_run(5, kTests);
  const std::string folder = folder_ + "a/b";
  ASSERT_EQ(train({"--run", folder, "--set", "base_lr=0.03", "--set",
                   "net.layer[data].data_param.batch_size=10"}),
            kDone)
      << output_;
  EXPECT_SAYS("set         base_lr = 0.03\n");
  EXPECT_SAYS("set         net.layer[data].data_param.batch_size = 10\n");
  EXPECT_SAYS("batch       10 of 70 images");
  EXPECT_SAYS("rate 0.03000");
  EXPECT_SAYS("data-wait ");
  EXPECT_SAYS(" left, ends ");
  EXPECT_THAT(numbers(folder + "/train.jsonl", "iteration"), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(numbers(folder + "/train.jsonl", "images"), ElementsAre(10, 20, 30, 40, 50));
  EXPECT_THAT(numbers(folder + "/train.jsonl", "rate"), testing::Each(0.03));
  const auto seconds = numbers(folder + "/train.jsonl", "seconds");
  EXPECT_TRUE(std::is_sorted(seconds.begin(), seconds.end()));
  for (const double share : numbers(folder + "/train.jsonl", "data_wait")) {
    EXPECT_GT(share, 0);
    EXPECT_LE(share, 1);
  }
  EXPECT_THAT(numbers(folder + "/test.jsonl", "iteration"), ElementsAre(0, 2, 4, 5));
  EXPECT_THAT(numbers(folder + "/test.jsonl", "samples"), testing::Each(70));
  EXPECT_THAT(read_file(folder + "/test.jsonl"), HasSubstr("\"outputs\": {\"loss\": "));
  EXPECT_THAT(read_file(folder + "/test.jsonl"), HasSubstr("\"accuracy\": "));
  EXPECT_EQ(read_file(folder + "/log.txt"), output_);
  EXPECT_TRUE(std::filesystem::exists(folder + "/snap_iter_4.solverstate"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder + "/snap_latest.caffemodel"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder + "/snap_best.caffemodel"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "snap_iter_4.solverstate"));
  // The net is what `test` takes.
  ASSERT_EQ(run({"test", "--model", folder + "/net.prototxt", "--weights",
                 folder + "/snap_best.caffemodel"}),
            kDone)
      << output_;
}

TEST_F(RunTest, WritesWhatLayersMakeWhereTheSolverAsks) {
  make_run(3, "debug_info: true display: 2 snapshot: 2");
  const std::string path = folder_ + "snap.run/debug.jsonl";
  ASSERT_EQ(train(), kDone) << output_;
  const std::string lines = read_file(path);
  EXPECT_THAT(numbers(path, "iteration"), testing::Each(2));
  EXPECT_THAT(lines, HasSubstr("{\"iteration\": 2, \"stage\": \"forward\", \"layer\": \"conv\", "
                               "\"blob\": \"conv\", \"data\": "));
  EXPECT_THAT(lines, HasSubstr("\"stage\": \"backward\", \"layer\": \"ip\", \"blob\": \"pool\", "
                               "\"gradient\": "));
  EXPECT_THAT(lines, HasSubstr("\"stage\": \"update\", \"layer\": \"ip\", \"parameter\": "
                               "\"weight\", \"data\": "));
  // A run that goes on has no iteration twice.
  ASSERT_EQ(train({"--snapshot", folder_ + "snap_iter_2.solverstate", "--set", "max_iter=4"}),
            kDone)
      << output_;
  EXPECT_THAT(read_file(path), testing::StartsWith(lines));
  const std::vector<double> iterations = numbers(path, "iteration");
  EXPECT_EQ(std::count(iterations.begin(), iterations.end(), 2),
            std::count(iterations.begin(), iterations.end(), 4));
  ASSERT_EQ(train({"--overwrite", "--set", "debug_info=false"}), kDone) << output_;
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(RunTest, TheConfigurationTrainsAgainToTheSameBits) {
  make_run(4, kTests);
  ASSERT_EQ(train({"--set", "net.layer[conv].convolution_param.num_output=8", "--set",
                   "random_seed=5", "--set", "lr_policy=poly", "--set", "power=0.7"}),
            kDone)
      << output_;
  const std::string weights = read_file(folder_ + "snap_iter_4.caffemodel");
  std::filesystem::remove(net_);
  solver_ = folder_ + "snap.run/solver.prototxt";
  EXPECT_THAT(read_file(solver_), HasSubstr("--set=lr_policy=poly"));
  ASSERT_EQ(train({"--run", folder_ + "again"}), kDone) << output_;
  EXPECT_EQ(read_file(folder_ + "again/snap_iter_4.caffemodel"), weights);
  const std::string once = read_file(solver_);
  solver_ = folder_ + "again/solver.prototxt";
  EXPECT_THAT(once, HasSubstr("power: 0.7"));
  EXPECT_THAT(read_file(solver_), HasSubstr("power: 0.7"));
}

TEST_F(RunTest, GoesOnAfterAKillWithoutDoublesOrGaps) {
  make_run(1000000, kTests);
  const std::string folder = folder_ + "run";
  const pid_t child = start(words({"--run", folder}));
  EXPECT_TRUE(prints("iteration 20 "));
  kill(child, SIGKILL);
  wait(child);
  // The end of a line that was being written.
  write_file(folder + "/train.jsonl", read_file(folder + "/train.jsonl") + "{\"iteration\": 1");

  ASSERT_EQ(train({"--run", folder, "--snapshot", folder + "/snap_iter_10.solverstate", "--set",
                   "max_iter=15"}),
            kDone)
      << output_;
  std::vector<double> wanted(15);
  for (int i = 0; i < 15; ++i) wanted[i] = i + 1;
  EXPECT_EQ(numbers(folder + "/train.jsonl", "iteration"), wanted);
  EXPECT_THAT(numbers(folder + "/test.jsonl", "iteration"),
              ElementsAre(0, 2, 4, 6, 8, 10, 12, 14, 15));
  const auto seconds = numbers(folder + "/train.jsonl", "seconds");
  EXPECT_TRUE(std::is_sorted(seconds.begin(), seconds.end()));
  EXPECT_THAT(read_file(folder + "/log.txt"), HasSubstr("iteration 20 "));  // of both starts
  EXPECT_THAT(read_file(folder + "/log.txt"), HasSubstr("resumed from"));
}

TEST_F(RunTest, AStopIsNoGap) {
  make_run(1000000, kTests);
  const std::string folder = folder_ + "run";
  const pid_t child = start(words({"--run", folder}));
  EXPECT_TRUE(prints("iteration 7 "));
  kill(child, SIGTERM);
  ASSERT_EQ(wait(child), kStopped) << output_;
  EXPECT_THAT(read_file(folder + "/log.txt"), HasSubstr("stopped as asked"));
  const auto before = numbers(folder + "/train.jsonl", "iteration");
  const int64_t end = static_cast<int64_t>(before.back()) + 3;
  ASSERT_EQ(
      train({"--run", folder, "--snapshot", "auto", "--set", "max_iter=" + std::to_string(end)}),
      kDone)
      << output_;
  const auto after = numbers(folder + "/train.jsonl", "iteration");
  ASSERT_EQ(after.size(), static_cast<size_t>(end));
  for (size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i], static_cast<double>(i + 1));
  const auto tests = numbers(folder + "/test.jsonl", "iteration");
  for (size_t i = 0; i + 1 < tests.size(); ++i) EXPECT_EQ(tests[i], static_cast<double>(2 * i));
  EXPECT_EQ(tests.back(), static_cast<double>(end));
}

TEST_F(RunTest, AnEarlyEndHasALineOfItsOwn) {
  make_run(20, "test_interval: 2 snapshot: 2 display: 3 early_stop_tests: 1 average_loss: 3 ");
  const std::string folder = folder_ + "run", curve = folder + "/train.jsonl";
  const std::vector<std::string> words = {"--run", folder,           "--snapshot", "auto",
                                          "--set", "lr_policy=step", "--set",      "gamma=0",
                                          "--set", "stepsize=1"};  // a rate of 0 after one update
  ASSERT_EQ(train(words), kDone) << output_;
  EXPECT_SAYS("ends early, at iteration 4 of 20");
  EXPECT_THAT(numbers(curve, "iteration"), ElementsAre(3, 4));
  EXPECT_THAT(numbers(curve, "images"), ElementsAre(48, 64));
  const std::string whole = read_file(curve);
  ASSERT_EQ(train(words), kDone) << output_;  // ends at once
  EXPECT_EQ(read_file(curve), whole);
  // One that was killed before it had written the line.
  write_file(curve, whole.substr(0, whole.find('\n') + 1));
  ASSERT_EQ(train(words), kDone) << output_;
  EXPECT_THAT(numbers(curve, "iteration"), ElementsAre(3, 4));
  EXPECT_THAT(numbers(curve, "images"), ElementsAre(48, 64));
  const auto loss = [](const std::string& lines) {
    return tool::number_of(lines.substr(lines.find('\n')), "loss");
  };
  EXPECT_EQ(loss(read_file(curve)), loss(whole));
}

TEST_F(RunTest, ARunIsNeverOverwrittenUnasked) {
  make_run(2, "");
  const std::string folder = folder_ + "run";
  ASSERT_EQ(train({"--run", folder}), kDone) << output_;
  const auto before = all_files();
  EXPECT_EQ(train({"--run", folder}), kFailed);
  EXPECT_SAYS(folder +
              ": holds a run already; go on with it (--snapshot auto), replace it "
              "(--overwrite)");
  EXPECT_EQ(all_files(), before);
  EXPECT_EQ(train({"--run", folder, "--overwrite", "--snapshot", "auto"}), kUsage);
  // What cannot be trained replaces nothing.
  EXPECT_EQ(train({"--run", folder, "--overwrite", "--set", "momentum=2"}), kFailed);
  EXPECT_SAYS("--set momentum: momentum must lie in [0, 1), got 2");
  EXPECT_EQ(all_files(), before);

  write_file(folder + "/mine.txt", "mine");
  ASSERT_EQ(train({"--run", folder, "--overwrite", "--set", "max_iter=1"}), kDone) << output_;
  EXPECT_EQ(read_file(folder + "/mine.txt"), "mine");
  EXPECT_FALSE(std::filesystem::exists(folder + "/snap_iter_2.caffemodel"));
  EXPECT_THAT(numbers(folder + "/train.jsonl", "iteration"), ElementsAre(1));

  // Of a run without a folder there are snapshots.
  ASSERT_EQ(train(), kDone) << output_;
  std::filesystem::remove_all(folder_ + "snap.run");
  EXPECT_EQ(train(), kFailed);
  EXPECT_SAYS(folder_ + "snap: holds a run already");
  ASSERT_EQ(train({"--overwrite"}), kDone) << output_;
  ASSERT_EQ(train({"--snapshot", "auto"}), kDone) << output_;

  // Files of other people.
  EXPECT_EQ(train({"--run", folder_}), kFailed);
  EXPECT_SAYS("solver.prototxt: was not written by a training and would be overwritten");
  EXPECT_EQ(train({"--run", folder_, "--overwrite"}), kFailed);
  EXPECT_THAT(read_file(solver_), HasSubstr("max_iter: 2"));
}

TEST_F(RunTest, ADryRunWritesNothing) {
  make_run(1000, kTests);
  const auto before = all_files();
  ASSERT_EQ(train({"--run", folder_ + "run", "--dry_run"}), kDone) << output_;
  EXPECT_SAYS("all 1,000 iterations and 501 tests about ");
  EXPECT_SAYS("nothing was written");
  EXPECT_SAYS("MiB at the planned peak");
  EXPECT_EQ(all_files(), before);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "run"));
}

TEST_F(RunTest, ReadsFromTheFoldersOfData) {
  make_run(2, "test_interval: 1");
  EXPECT_EQ(train({"--data", folder_}), kFailed);
  EXPECT_SAYS("--data " + folder_ + ": there is no folder " + folder_ + "train");
  for (const char* folder : {"train", "val"}) std::filesystem::create_directory(folder_ + folder);
  EXPECT_EQ(train({"--data", folder_}), kFailed);
  EXPECT_SAYS("net.prototxt:2:1: layer \"data\" is of both phases");

  std::string net = read_file(net_);
  const size_t data = net.find("layer"), conv = net.find("layer", data + 1);
  std::string layer = net.substr(data, conv - data), test = layer;
  layer.replace(layer.find("top:"), 0, "include { phase: TRAIN } ");
  test.replace(test.find("top:"), 0, "include { phase: TEST } ");
  write_file(net_, layer + test + net.substr(conv));
  EXPECT_EQ(train({"--data", folder_}), kFailed);
  EXPECT_SAYS(folder_ + "train");  // which is no IDX file
}

TEST_F(RunTest, SetSaysWhatIsWrong) {
  make_run(1, "");
  EXPECT_EQ(train({"--set", "base_lr"}), kUsage);
  EXPECT_SAYS("flag --set is \"base_lr\"; it is written FIELD=VALUE");
  EXPECT_EQ(train({"--set", "net.layer[dta].top[0]=x"}), kFailed);
  EXPECT_SAYS(
      "error: --set net.layer[dta].top[0]: there is no layer \"dta\"; did you mean \"data\"?\n");
  EXPECT_EQ(train({"--run", "a", "--run", "b"}), kUsage);
  EXPECT_SAYS("flag --run is given twice");
  EXPECT_EQ(train({"--progress", "bar"}), kUsage);
  EXPECT_SAYS("auto or live or plain or none");
}

TEST_F(RunTest, ShowsProgressAsItIsAskedTo) {
  make_run(3, "");
  ASSERT_EQ(train({"--progress", "none", "--set", "display=1"}), kDone) << output_;
  EXPECT_THAT(output_, Not(HasSubstr("iteration 3 ")));
  EXPECT_SAYS("snapshot  ");
  ASSERT_EQ(train({"--progress", "live", "--overwrite"}), kDone) << output_;
  EXPECT_SAYS("iteration 3 of 3");
  EXPECT_THAT(read_file(folder_ + "snap.run/log.txt"), Not(HasSubstr("\033")));
}

// What the tool shows on a terminal of 40 columns.
TEST_F(RunTest, ATerminalHasOneLineThatFits) {
  make_run(200, "test_interval: 100 ");
  const auto shown = [&](const std::string& type) {
    environment_ = {"TERM=" + type};
    const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    EXPECT_TRUE(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    const int side = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    const winsize size{24, 40, 0, 0};
    EXPECT_EQ(ioctl(side, TIOCSWINSZ, &size), 0);
    const pid_t child = start(words({"--overwrite"}), side);
    close(side);
    std::string all;
    char piece[256];
    for (ssize_t bytes = 1; bytes > 0;)
      if ((bytes = read(terminal, piece, sizeof piece)) > 0)
        all.append(piece, static_cast<size_t>(bytes));
    close(terminal);
    EXPECT_EQ(wait(child), kDone) << all;
    return all;
  };
  const std::string live = shown("xterm"), erase = "\r\033[K";
  const size_t first = live.find(erase);
  ASSERT_NE(first, std::string::npos) << live;
  const std::string status = live.substr(first + erase.size());
  EXPECT_EQ(status.substr(0, 10), "iteration ") << live;
  EXPECT_EQ(status.find(erase), 39u) << live;
  EXPECT_EQ(shown("dumb").find(erase), std::string::npos);
}

TEST_F(RunTest, AFullDiskUnderTheCurvesDoesNotEndATraining) {
  make_run(3, "display: 1 ");
  std::filesystem::create_directory(folder_ + "snap.run");
  std::filesystem::create_symlink("/dev/full", folder_ + "snap.run/log.txt");
  ASSERT_EQ(train(), kDone) << output_;
  EXPECT_SAYS("log.txt: cannot be written: ");
  EXPECT_THAT(numbers(folder_ + "snap.run/train.jsonl", "iteration"), ElementsAre(1, 2, 3));
}

}  // namespace
}  // namespace orepa
