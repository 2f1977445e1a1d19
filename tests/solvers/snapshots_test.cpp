// Which snapshots stay, and what leads to the newest and the best.
#include <gmock/gmock.h>

#include "orepa.pb.h"
#include "solvers/snapshot.h"
#include "tests/error_of.h"
#include "tests/training.h"

namespace orepa {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A test every second iteration, and a snapshot.
std::string solver_text(const std::string& folder, int iterations = 10, int snapshot = 2) {
  const std::string net = R"( {
    layer { name: "x" type: "DummyData" top: "x" dummy_data_param {
            shape { dim: 4 dim: 3 } data_filler { type: "gaussian" std: 1 } } }
    layer { name: "label" type: "DummyData" top: "label" dummy_data_param { shape { dim: 4 } } }
    layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
            inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" } )";
  return "train_net_param" + net + "} test_net_param" + net +
         "} base_lr: 0.5 test_initialization: false test_interval: 2 " +
         text("snapshot: ", snapshot, " max_iter: ", iterations, " snapshot_prefix: '", folder,
              "run' ");
}

std::vector<int64_t> iterations(const std::string& prefix) {
  std::vector<int64_t> found;
  for (const auto& [iteration, path] : snapshot_files(prefix))
    if (found.empty() || found.back() != iteration) found.push_back(iteration);
  return found;
}

std::string target(const std::string& link) {
  return std::filesystem::is_symlink(link) ? std::filesystem::read_symlink(link).string() : "";
}

TEST(Snapshots, AllStayUnlessANumberIsGiven) {
  const std::string folder = test_folder();
  ASSERT_TRUE(Training(solver_text(folder))->solve());
  EXPECT_THAT(iterations(folder + "run"), ElementsAre(2, 4, 6, 8, 10));
  EXPECT_NE(error_of([&] { Training(solver_text(folder) + "snapshot_keep: -1"); }), "");
}

// With a rate of 0 every test is the same, and the first is the best.
TEST(Snapshots, TheNewestAndTheBestStay) {
  for (const std::string format : {"BINARYPROTO", "HDF5"}) {
    const std::string folder = test_folder(), end = format == "HDF5" ? ".h5" : "";
    Training run(solver_text(folder) +
                 "snapshot_keep: 2 lr_policy: 'step' gamma: 0 stepsize: 1 "
                 "snapshot_format: " +
                 format);
    std::filesystem::create_directory(folder + "run_iter_1.caffemodel.d");  // not ours
    write_file(folder + "run_iter_1.caffemodel2", "");
    write_file(folder + "other_iter_1.caffemodel", "");
    ASSERT_TRUE(run->solve());
    EXPECT_THAT(iterations(folder + "run"), ElementsAre(2, 8, 10)) << run.listener.notes;
    EXPECT_EQ(target(folder + "run_latest.caffemodel" + end), "run_iter_10.caffemodel" + end);
    EXPECT_EQ(target(folder + "run_latest.solverstate" + end), "run_iter_10.solverstate" + end);
    EXPECT_EQ(target(folder + "run_best.caffemodel" + end), "run_iter_2.caffemodel" + end);
    EXPECT_THAT(run.listener.notes, HasSubstr("iteration 2, by loss = "));
    EXPECT_TRUE(std::filesystem::exists(folder + "run_iter_1.caffemodel2"));
    EXPECT_TRUE(std::filesystem::exists(folder + "other_iter_1.caffemodel"));
    // The link is as good as the state it leads to.
    Training again(solver_text(folder), resuming(folder + "run_latest.solverstate" + end));
    EXPECT_EQ(again->iteration(), 10);
  }
}

// After the first step the rate is 0: averages come closer to its weights, and tests get better.
TEST(Snapshots, OfAveragesStayWithThem) {
  const std::string folder = test_folder();
  Training run(solver_text(folder) +
               "snapshot_keep: 1 lr_policy: 'step' gamma: 0 stepsize: 1 ema_decay: 0.9 ");
  ASSERT_TRUE(run->solve());
  std::vector<std::string> left;
  for (const auto& [iteration, path] : snapshot_files(folder + "run"))
    left.push_back(std::filesystem::path(path).filename().string());
  EXPECT_THAT(
      left, testing::UnorderedElementsAre("run_iter_8.caffemodel", "run_iter_8.solverstate",
                                          "run_iter_8_ema.caffemodel", "run_iter_10.caffemodel",
                                          "run_iter_10.solverstate", "run_iter_10_ema.caffemodel"));
  EXPECT_EQ(target(folder + "run_best.caffemodel"), "run_iter_10_ema.caffemodel");
  EXPECT_EQ(target(folder + "run_latest.caffemodel"), "run_iter_10.caffemodel");
}

TEST(Snapshots, TheBestOutlivesAResumeAndIsJudgedAgain) {
  const std::string folder = test_folder();
  const std::string solver = solver_text(folder) + "snapshot_keep: 1 ";
  Training whole(solver);
  ASSERT_TRUE(whole->solve());
  const std::string best = target(folder + "run_best.caffemodel");
  const auto last_tests = whole.listener.tests;
  const auto state = read_snapshot_state(folder + "run_latest.solverstate");
  ASSERT_TRUE(state.best);
  EXPECT_EQ(state.best->output, "loss");

  std::filesystem::remove(folder + "run_best.caffemodel");
  Training again(solver, resuming("auto"));
  EXPECT_TRUE(again->tests_first());
  ASSERT_TRUE(again->solve());  // the test at the end, again
  ASSERT_EQ(again.listener.tests.size(), 1u);
  EXPECT_EQ(again.listener.tests[0].first, 10);
  EXPECT_EQ(again.listener.tests[0].second.outputs[0].values,
            last_tests.back().second.outputs[0].values);
  // Whether it is the one that the state remembers, or the one tested again.
  EXPECT_EQ(target(folder + "run_best.caffemodel"), best);
}

TEST(Snapshots, LaterOnesOfAnAbandonedRunStay) {
  const std::string folder = test_folder();
  ASSERT_TRUE(Training(solver_text(folder))->solve());
  Training back(solver_text(folder) + "snapshot_keep: 1 lr_policy: 'step' gamma: 0 stepsize: 1",
                resuming(folder + "run_iter_4.solverstate"));
  back.listener.asks = {{6, Request::kStop}};
  ASSERT_FALSE(back->solve());
  EXPECT_EQ(target(folder + "run_latest.caffemodel"), "run_iter_6.caffemodel");
  const auto left = iterations(folder + "run");
  EXPECT_THAT(left, testing::Not(testing::Contains(2)));
  EXPECT_THAT(left, testing::IsSupersetOf({6, 8, 10}));
}

TEST(Snapshots, AFileWhereALinkBelongsIsNoReasonToEnd) {
  const std::string folder = test_folder();
  write_file(folder + "run_latest.caffemodel", "mine");
  Training run(solver_text(folder));
  ASSERT_TRUE(run->solve());
  EXPECT_EQ(read_all(folder + "run_latest.caffemodel"), "mine");
  EXPECT_THAT(run.listener.notes, HasSubstr("run_latest.caffemodel: cannot be made a link to "));
}

TEST(Snapshots, AreRemovedWithTheirLinksAndNothingElse) {
  const std::string folder = test_folder();
  const std::string solver = solver_text(folder) + "snapshot_fallback: '" + folder + "other' ";
  Training run(solver);
  EXPECT_FALSE(run->has_snapshots());
  ASSERT_TRUE(run->solve());
  EXPECT_TRUE(run->has_snapshots());
  for (const char* kept : {"run_iter_2", "run_iter_x.caffemodel", "run2_iter_2.caffemodel"})
    write_file(folder + kept, "");
  write_file(folder + "other/run_iter_3.solverstate", "");
  run->remove_snapshots();
  EXPECT_FALSE(run->has_snapshots());
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    left.push_back(entry.path().filename().string());
  EXPECT_THAT(left, testing::UnorderedElementsAre("run_iter_2", "run_iter_x.caffemodel",
                                                  "run2_iter_2.caffemodel", "other"));
}

// With a rate of 0 the test of iteration 2 stays the best.
class EarlyStop : public testing::TestWithParam<const char*> {
 protected:
  const std::string folder_ = test_folder(), end_ = GetParam() == std::string("HDF5") ? ".h5" : "";
  const std::string steady_ = solver_text(folder_, 20) +
                              "lr_policy: 'step' gamma: 0 stepsize: 1 "
                              "snapshot_format: " +
                              GetParam() + " ";
  const std::string solver_ = steady_ + "early_stop_tests: 3 average_loss: 4 ";
};

TEST_P(EarlyStop, ComesAfterSoManyTestsWithoutABest) {
  Training run(solver_);
  ASSERT_TRUE(run->solve());
  EXPECT_EQ(run->iteration(), 8);
  EXPECT_EQ(run.listener.tests.size(), 4u);
  EXPECT_EQ(target(folder_ + "run_latest.solverstate" + end_), "run_iter_8.solverstate" + end_);
  EXPECT_THAT(run.listener.notes,
              HasSubstr("ends early, at iteration 8 of 20: of the last 3 tests none was better "
                        "than that of iteration 2, loss = "));
  ASSERT_EQ(run.listener.early_ends.size(), 1u);
  EXPECT_EQ(run.listener.early_ends[0].iteration, 8);
  // That it has ended stands in its state; whoever wants more, says so.
  Training again(solver_, resuming("auto"));
  ASSERT_TRUE(again->solve());
  EXPECT_EQ(again->iteration(), 8);
  ASSERT_EQ(again.listener.early_ends.size(), 1u);
  const Observer::Progress end = again.listener.early_ends[0];
  EXPECT_EQ(end.loss, run.listener.reports.back().loss);
  EXPECT_EQ(end.rate, run.listener.reports.back().rate);
  EXPECT_EQ(end.images, 0);  // of this run
  Training more(steady_ + "early_stop_tests: 5 ", resuming("auto"));
  ASSERT_TRUE(more->solve());
  EXPECT_EQ(more->iteration(), 12);
}

TEST_P(EarlyStop, CountsOnInARunThatGoesOn) {
  // Before the test of iteration 4 and, where a stop was asked for, after that of 6.
  Training run(solver_);
  run.listener.asks = {{6, Request::kStop}};
  ASSERT_FALSE(run->solve());
  for (const char* state : {"run_iter_6.solverstate", "run_iter_4.solverstate"}) {
    Training resumed(solver_, resuming(folder_ + state + end_));
    ASSERT_TRUE(resumed->solve());
    EXPECT_EQ(resumed->iteration(), 8) << state;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, EarlyStop, testing::Values("BINARYPROTO", "HDF5"),
                         [](const auto& info) { return std::string(info.param); });

TEST(EarlyStops, DoNotComeWhileTestsImprove) {
  const std::string folder = test_folder();
  Training run(solver_text(folder) + "early_stop_tests: 1 ");
  ASSERT_TRUE(run->solve());
  const auto& tests = run.listener.tests;
  const size_t last = tests.size() - 1;  // the first that was no better, or the last of all
  for (size_t i = 1; i <= last; ++i) {
    const bool better =
        tests[i].second.outputs[0].values[0] < tests[i - 1].second.outputs[0].values[0];
    EXPECT_TRUE(better || i == last) << i;
  }
  EXPECT_EQ(run->iteration(), tests[last].first);
}

TEST(EarlyStops, NeedASnapshotForEveryTest) {
  const auto refusal = [](int snapshot, const char* tests) {
    return error_of(
        [&] { Training(solver_text(test_folder(), 10, snapshot) + "early_stop_tests: " + tests); });
  };
  EXPECT_EQ(refusal(2, "1"), "");
  EXPECT_EQ(refusal(1, "1"), "");
  for (const int snapshot : {4, 0})
    EXPECT_THAT(refusal(snapshot, "1"),
                HasSubstr("early_stop_tests needs a snapshot for every test"));
  EXPECT_THAT(refusal(2, "-1"), HasSubstr("must not be negative"));
}

Evaluation evaluation(std::vector<Evaluation::Output> outputs) {
  Evaluation made;
  made.outputs = std::move(outputs);
  return made;
}

TEST(Best, IsTheHighestAccuracyOrElseTheLowestLoss) {
  const NetSpec net = NetSpec::parse(
      "layer { type: 'Accuracy' top: 'top5' } layer { type: 'Accuracy' top: 'top1' }", "net");
  const auto of = [&](double loss, double accuracy) {
    return evaluation({{"loss", {loss}, 1}, {"aux", {1, 1}, 0.5}, {"top5", {accuracy}, 0}});
  };
  const auto first = better({}, 3, net, of(1, 0.5));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->iteration, 3);
  EXPECT_EQ(first->output, "top5");
  EXPECT_FALSE(better(first, 4, net, of(0, 0.5)));
  EXPECT_TRUE(better(first, 4, net, of(9, 0.6)));

  const NetSpec plain = NetSpec::parse("layer { type: 'SoftmaxWithLoss' top: 'loss' }", "net");
  const auto loss = better(first, 5, plain, of(1, 0.1));  // of another output
  ASSERT_TRUE(loss);
  EXPECT_EQ(loss->output, "loss");
  EXPECT_EQ(loss->value, 2);
  EXPECT_FALSE(better(loss, 6, plain, of(1, 0.1)));
  EXPECT_TRUE(better(loss, 6, plain, of(0.9, 0.1)));
  EXPECT_FALSE(better({}, 6, plain, evaluation({{"x", {1}, 0}})));
}

}  // namespace
}  // namespace orepa
