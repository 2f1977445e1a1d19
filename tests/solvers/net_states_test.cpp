// What RNN and LSTM hand from pass to pass, in runs that end, go on, test and fail.
#include "solvers/net_states.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "solvers/solver_state.h"
#include "tests/error_of.h"
#include "tests/late_device.h"
#include "tests/training.h"

namespace orepa {
namespace {

// Sequences that never end, so that every pass goes on from the one before.
std::string net_of(const std::string& type) {
  return text(R"(net_param {
      layer { name: "in" type: "DummyData" top: "x" top: "cont" top: "wanted"
              dummy_data_param { shape { dim: 3 dim: 2 dim: 3 } shape { dim: 3 dim: 2 }
                                 shape { dim: 3 dim: 2 dim: 4 }
                                 data_filler { type: "gaussian" }
                                 data_filler { type: "constant" value: 1 }
                                 data_filler { type: "gaussian" } } }
      layer { name: "states" type: ")",
              type, R"(" bottom: "x" bottom: "cont" top: "y"
              recurrent_param { num_output: 4 weight_filler { type: "gaussian" } } }
      layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "wanted" top: "loss" } }
    base_lr: 0.05 momentum: 0.9 max_iter: 6 test_iter: 2 test_interval: 100 snapshot_prefix: ")",
              test_folder(), "run\" ");
}

class RunWithStates : public testing::TestWithParam<std::string> {
 protected:
  std::string solver_ = net_of(GetParam());
};

TEST_P(RunWithStates, GoesOnFromASnapshotBitForBit) {
  for (const char* more :
       {"snapshot_format: HDF5 ", "snapshot_format: BINARYPROTO ", "iter_size: 3 "}) {
    SCOPED_TRACE(more);
    Training whole(solver_ + more, graphs_where_there_are()), first(solver_ + more);
    std::vector<double> losses;
    for (int i = 0; i < 6; ++i) losses.push_back(whole->step());
    for (int i = 0; i < 3; ++i) first->step();
    const std::string state = first->snapshot();
    Training second(solver_ + more, resuming(state));
    for (int i = 3; i < 6; ++i) EXPECT_EQ(second->step(), losses[i]);
    EXPECT_EQ(second.state(), whole.state());
    EXPECT_THAT(second.listener.notes, Not(testing::HasSubstr("holds no states")));
  }
}

TEST_P(RunWithStates, FromAFileWithoutThemBeginsWithZerosAndSaysSo) {
  Training first(solver_);
  first->step();
  const std::string path = first->snapshot();
  SolverState state = read_solver_state(path);
  state.clear_state();
  state.clear_checksum();
  write_file(path, solver_state_bytes(path, state));
  Training second(solver_, resuming(path)), fresh(solver_);
  EXPECT_THAT(second.listener.notes,
              testing::HasSubstr(path + " holds no states of layer \"states\" to hand from pass to "
                                        "pass: they begin with zeros, as in Caffe"));
  EXPECT_EQ(read_states(*second.device, second->net()), read_states(*fresh.device, fresh->net()));
}

TEST_P(RunWithStates, OfSomeLayersBeginsTheOthersWithZerosAndSaysWhich) {
  Training first(solver_);
  for (int i = 0; i < 2; ++i) first->step();
  const std::string path = first->snapshot();
  std::string more = solver_;
  more.insert(
      more.find("layer { name: \"loss\""),
      text("layer { name: \"more\" type: \"", GetParam(),
           "\" bottom: \"x\" bottom: \"cont\" top: \"more\" recurrent_param { num_output: 4 "
           "weight_filler { type: \"gaussian\" } } } "));
  SolverState state = read_solver_state(path);
  Training second(more);
  second->step();
  SolverState whole = read_solver_state(second->snapshot());
  *whole.mutable_state() = state.state();
  whole.clear_checksum();
  const std::string partial = path.substr(0, path.rfind('/')) + "/partial.solverstate";
  write_file(partial, solver_state_bytes(partial, whole));
  Training third(more, resuming(partial));
  EXPECT_THAT(
      third.listener.notes,
      testing::HasSubstr(partial + " holds no states of layer \"more\" to hand from pass to "
                                   "pass: they begin with zeros\n"));
  const NetStates states = read_states(*third.device, third->net());
  EXPECT_EQ(states.at("states/hidden"),
            read_states(*first.device, first->net()).at("states/hidden"));
  EXPECT_EQ(states.at("more/hidden"), std::vector<float>(8, 0));
}

TEST_P(RunWithStates, WithAnotherBatchIsRefused) {
  Training first(solver_);
  const std::string state = first->snapshot();
  std::string other = solver_;
  for (const char* shape : {"dim: 3 dim: 2 dim: 3", "dim: 3 dim: 2 }", "dim: 3 dim: 2 dim: 4"})
    other.replace(other.find(shape), 13, "dim: 3 dim: 5");
  EXPECT_THAT(error_of([&] { Training(other, resuming(state)); }),
              testing::HasSubstr("states/hidden, which layers hand from pass to pass, would be 8 "
                                 "numbers, but is 1 x 5 x 4; the batch is another one"));
}

// Asks for a stop when it is asked for the third time: between the passes of an iteration.
class Interrupter : public Listener {
 public:
  Request request() override { return ++asked_ == 3 ? Request::kStop : Request::kNone; }

 private:
  int asked_ = 0;
};

TEST_P(RunWithStates, ForgetsPassesThatAreAbandoned) {
  const SolverSpec spec = SolverSpec::parse(solver_ + "iter_size: 3 ", "solver.prototxt");
  const std::unique_ptr<Device> device = test_device();
  Interrupter interrupter;
  Solver stopped(spec, *device, {}, interrupter);
  stopped.step();
  const NetStates before = read_states(*device, stopped.net());
  EXPECT_FALSE(stopped.solve());
  EXPECT_EQ(stopped.iteration(), 1);
  EXPECT_EQ(read_states(*device, stopped.net()), before);
}

TEST_P(RunWithStates, TestsTheSameWeightsTwiceToTheSame) {
  Training run(solver_);
  run->step();
  const Evaluation once = run->test(), again = run->test();
  EXPECT_EQ(once.outputs[0].values, again.outputs[0].values);
  // Its second pass goes on from its first.
  EXPECT_NE(run->test(0, 1).outputs[0].values, once.outputs[0].values);
}

INSTANTIATE_TEST_SUITE_P(Types, RunWithStates, testing::Values("LSTM", "RNN"),
                         [](const auto& info) { return info.param; });

// y is 0.96 and 0.14 in turn, so that the root of y - 0.5 is no number in every other pass.
const char* const kAlternating = R"(
  layer { name: "in" type: "DummyData" top: "x" top: "cont"
          dummy_data_param { shape { dim: 1 dim: 1 dim: 1 } shape { dim: 1 dim: 1 }
                             data_filler { type: "constant" value: 1 } } }
  layer { name: "states" type: "RNN" bottom: "x" bottom: "cont" top: "y"
          recurrent_param { num_output: 1 weight_filler { type: "constant" value: -2 } } }
  layer { name: "root" type: "Power" bottom: "y" top: "root"
          power_param { power: 0.5 shift: -0.5 } }
  layer { name: "loss" type: "Reduction" bottom: "root" top: "loss" loss_weight: 1 } )";

std::string alternating_solver() {
  return text("net_param { ", kAlternating, "} base_lr: 0 max_iter: 6 snapshot_after_train: false ",
              "test_interval: 100 snapshot_prefix: '", test_folder(), "run' ");
}

// What is looked for is what that pass has met, not one that goes on from it.
TEST(RunWithStates, NamesTheLayerOfThePassThatFailed) {
  Training run(alternating_solver());
  run->step();
  const std::string message = error_of([&] { run->step(); });
  EXPECT_THAT(message, testing::HasSubstr("iteration 1: the loss is "));
  EXPECT_THAT(message, testing::HasSubstr("layer \"root\" (Power), output \"root\""));
}

TEST(RunWithStates, NamesItWhereTheNextOneIsIssuedAlready) {
  const std::unique_ptr<Device> device = make_late_device(make_device("cpu"));
  Listener listener;
  Solver solver(SolverSpec::parse(alternating_solver(), "solver.prototxt"), *device, {}, listener);
  const std::string message = error_of([&] { solver.solve(); });
  EXPECT_THAT(message, testing::HasSubstr("iteration 1: the loss is "));
  EXPECT_THAT(message, testing::HasSubstr("layer \"root\" (Power), output \"root\""));
}

TEST(RunWithStates, NamesItInATest) {
  Training run(alternating_solver());
  const std::string message = error_of([&] { run->test(0, 2); });
  EXPECT_THAT(message, testing::HasSubstr("layer \"root\" (Power), output \"root\""));
}

}  // namespace
}  // namespace orepa
