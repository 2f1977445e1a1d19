// The program of small graphs, built by hand: which gradients are computed, where they are summed,
// and what the memory of a value outlives.
#include "engine/program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace orepa {
namespace {

// Nodes of one output each; every value holds 64 bytes.
class ProgramTest : public testing::Test {
 protected:
  // Returns the node's number, which is also that of its value.
  int node(const std::vector<int>& inputs, bool learns = false) {
    const int n = static_cast<int>(graph_.nodes.size());
    Node node;
    node.spec.name = "n" + std::to_string(n);
    node.inputs = inputs;
    node.outputs = {n};
    graph_.nodes.push_back(node);
    graph_.values.push_back({node.spec.name, n, {}});
    for (const int v : inputs) graph_.values[v].consumers.push_back(n);
    NodeTraits traits;
    traits.output_counts = {16};
    traits.learns = learns;
    traits.differentiable.assign(inputs.size(), true);
    traits.reads_input.assign(inputs.size(), false);
    traits.reads_output = {false};
    traits.gradient_may_overwrite.assign(inputs.size(), false);
    traits.loss_weight = {0};
    traits_.push_back(traits);
    return n;
  }
  int loss(const std::vector<int>& inputs) {
    const int n = node(inputs);
    traits_[n].loss_weight = {1};
    return n;
  }
  Program make(bool backward = true) {
    ProgramOptions options = options_;
    options.backward = backward;
    return make_program(graph_, traits_, options);
  }
  static std::vector<int> backward_of(const Program& program) {
    std::vector<int> nodes;
    for (const Step& step : program.steps)
      if (step.kind == Step::Kind::kBackward) nodes.push_back(step.node);
    return nodes;
  }
  static int64_t count(const Program& program, Step::Kind kind) {
    return std::count_if(program.steps.begin(), program.steps.end(),
                         [&](const Step& step) { return step.kind == kind; });
  }

  Graph graph_;
  std::vector<NodeTraits> traits_;
  ProgramOptions options_;
};

TEST_F(ProgramTest, OnlyWhatLearnsOrLeadsThereIsDifferentiated) {
  const int x = node({});
  const int a = node({x});        // nothing learns before it
  const int b = node({a}, true);  // learns
  const int c = node({b});
  const int side = node({b}, true);  // learns, but leads to no loss
  loss({c});
  const Program program = make();
  EXPECT_EQ(backward_of(program), (std::vector<int>{5, c, b}));
  EXPECT_EQ(program.value_gradient[a], -1);
  EXPECT_EQ(program.value_gradient[x], -1);
  EXPECT_EQ(program.value_gradient[side], -1);
  EXPECT_GE(program.value_gradient[b], 0);
  EXPECT_EQ(backward_of(make(false)).size(), 0u);
}

TEST_F(ProgramTest, GradientsOfAllReadersAreSummed) {
  const int a = node({node({})}, true);
  loss({node({a}), node({a}), node({a}), a});
  const Program program = make();
  EXPECT_EQ(count(program, Step::Kind::kAccumulate), 3);
  // The sum is complete before the one who made the value goes backward.
  const Step& last = program.steps[program.finish - 2];
  EXPECT_EQ(last.kind, Step::Kind::kBackward);
  EXPECT_EQ(last.node, a);
  EXPECT_EQ(last.output_gradients[0], program.value_gradient[a]);
}

TEST_F(ProgramTest, NothingFlowsWhereALayerSaysSo) {
  const int a = node({node({})}, true), b = node({a}, true);
  const int both = loss({a, b});
  traits_[both].differentiable = {false, true};
  traits_[b].differentiable = {false};
  const Program program = make();
  EXPECT_EQ(backward_of(program), (std::vector<int>{both, b}));
  EXPECT_EQ(program.value_gradient[a], -1);
}

TEST_F(ProgramTest, ForwardOnlyLayersEndTheWay) {
  const int a = node({node({})}, true);
  const int accuracy = node({a});
  traits_[accuracy].forward_only = true;
  loss({a});
  EXPECT_EQ(backward_of(make()), (std::vector<int>{3, a}));
}

TEST_F(ProgramTest, AskedForGradientsReachTheInputs) {
  const int x = node({});
  const int a = node({x});
  loss({a});
  EXPECT_TRUE(backward_of(make()).empty());
  options_.want_gradients = {x};
  EXPECT_EQ(backward_of(make()), (std::vector<int>{2, a}));
  EXPECT_GE(make().value_gradient[x], 0);
}

TEST_F(ProgramTest, ValuesLiveAsLongAsTheyAreRead) {
  const int a = node({node({})}, true), b = node({a}, true), c = node({b}, true);
  loss({c});
  traits_[c].reads_input = {true};
  const Program program = make();
  const auto last = [&](int value) { return program.buffers[program.value_buffer[value]].last; };
  const auto backward_step = [&](int n) {
    for (size_t s = 0; s < program.steps.size(); ++s)
      if (program.steps[s].kind == Step::Kind::kBackward && program.steps[s].node == n)
        return static_cast<int>(s);
    return -1;
  };
  EXPECT_EQ(last(a), b);                 // b's forward pass is step b
  EXPECT_EQ(last(b), backward_step(c));  // kept for c's backward pass
  options_.keep_values = {a};
  EXPECT_EQ(make().buffers[make().value_buffer[a]].last, program.finish - 1);
  EXPECT_EQ(program.steps[program.finish - 1].kind, Step::Kind::kRead);
}

TEST_F(ProgramTest, MemoryOfANodeLivesFromStageToStage) {
  const int a = node({node({})}, true);
  loss({a});
  traits_[a].prepares = traits_[a].finishes = traits_[a].updates = true;
  const std::pair<Stage, Stage> lives[] = {
      {Stage::kPrepare, Stage::kPrepare},  {Stage::kForward, Stage::kForward},
      {Stage::kForward, Stage::kBackward}, {Stage::kBackward, Stage::kBackward},
      {Stage::kFinish, Stage::kFinish},    {Stage::kFinish, Stage::kUpdate}};
  for (const auto& [first, last] : lives) traits_[a].memory.push_back({64, first, last});
  const Program program = make();
  const auto step_of = [&](Stage stage) {
    const std::map<Stage, Step::Kind> kinds = {{Stage::kPrepare, Step::Kind::kPrepare},
                                               {Stage::kForward, Step::Kind::kForward},
                                               {Stage::kBackward, Step::Kind::kBackward},
                                               {Stage::kFinish, Step::Kind::kFinish},
                                               {Stage::kUpdate, Step::Kind::kUpdate}};
    for (size_t s = 0; s < program.steps.size(); ++s) {
      const Step& step = program.steps[s];
      if (step.kind == kinds.at(stage) && (step.node == a || step.nodes == std::vector<int>{a}))
        return static_cast<int>(s);
    }
    return -1;
  };
  for (size_t m = 0; m < std::size(lives); ++m) {
    const MemoryRequest& request = program.buffers[program.memory[a][m]];
    EXPECT_EQ(request.first, step_of(lives[m].first)) << m;
    EXPECT_EQ(request.last, step_of(lives[m].second)) << m;
  }
  // A net for use alone has none of the last four.
  EXPECT_EQ(make(false).memory[a][3], -1);
}

// Nodes prepare, and finish and update, together as long as their memory has room.
TEST_F(ProgramTest, StepsOfSeveralNodesTakeTheBytesTheyMay) {
  std::vector<int> nodes{node({})};
  for (int n = 1; n <= 4; ++n) nodes.push_back(node({nodes.back()}, true));
  loss({nodes.back()});
  for (int n = 1; n <= 4; ++n) {
    traits_[n].prepares = traits_[n].updates = true;
    traits_[n].finishes = n != 3;
    traits_[n].memory = {{100, Stage::kPrepare, Stage::kPrepare},
                         {200, Stage::kFinish, Stage::kUpdate},
                         {1 << 20, Stage::kForward, Stage::kBackward}};
    if (n == 3) traits_[n].memory.clear();
  }
  const auto groups = [&](Step::Kind kind) {
    std::vector<std::vector<int>> groups;
    for (const Step& step : make().steps)
      if (step.kind == kind) groups.push_back(step.nodes);
    return groups;
  };
  using Groups = std::vector<std::vector<int>>;
  EXPECT_EQ(groups(Step::Kind::kPrepare), (Groups{{1}, {2}, {3}, {4}}));
  EXPECT_EQ(groups(Step::Kind::kFinish), (Groups{{1}, {2}, {4}}));
  options_.step_bytes = 2 * kAlignment;  // memory is aligned
  EXPECT_EQ(groups(Step::Kind::kPrepare), (Groups{{1, 2, 3}, {4}}));
  EXPECT_EQ(groups(Step::Kind::kFinish), (Groups{{1, 2}, {4}}));
  EXPECT_EQ(groups(Step::Kind::kUpdate), (Groups{{1, 2, 3}, {4}}));
  options_.step_bytes = 1;  // less than one node takes
  EXPECT_EQ(groups(Step::Kind::kUpdate), (Groups{{1}, {2}, {3}, {4}}));
}

// Two readers in bfloat16 share one cast of a value in float32; each one's gradient is cast back.
TEST_F(ProgramTest, CastsBetweenTypes) {
  const int x = node({}), a = node({x}, true);
  const int b = node({a}, true), c = node({a}), d = node({b, c});
  loss({d});
  for (const int n : {b, c, d}) traits_[n].type = DType::kBFloat16;
  traits_[b].reads_input = {true};
  const Program program = make();
  std::vector<const Step*> casts;
  for (const Step& step : program.steps)
    if (step.kind == Step::Kind::kCast) casts.push_back(&step);
  ASSERT_EQ(casts.size(), 5u);  // of a; of d for the loss, and its gradient; of b's and c's
  const int cast = casts[0]->out;
  EXPECT_EQ(casts[0]->a, program.value_buffer[a]);
  EXPECT_EQ(program.input[b], (std::vector<int>{cast}));
  EXPECT_EQ(program.input[c], (std::vector<int>{cast}));
  EXPECT_EQ(program.types[cast], DType::kBFloat16);
  EXPECT_EQ(program.buffers[cast].bytes, 32);
  EXPECT_EQ(program.buffers[program.value_buffer[a]].bytes, 64);
  EXPECT_EQ(program.types[program.value_gradient[a]], DType::kFloat32);
  EXPECT_EQ(program.types[program.value_gradient[d]], DType::kBFloat16);
  // The value itself is not needed any more, its cast until b's backward pass.
  EXPECT_LT(program.buffers[program.value_buffer[a]].last, program.backward);
  EXPECT_GT(program.buffers[cast].last, program.backward);
}

TEST_F(ProgramTest, PreparesBeforeAndUpdatesLayerByLayerAfterwards) {
  const int a = node({node({})}, true), b = node({a}, true);
  loss({b});
  for (const int n : {a, b}) traits_[n].prepares = traits_[n].finishes = traits_[n].updates = true;
  std::string kinds;
  for (const Step& step : make().steps)
    kinds += step.kind == Step::Kind::kPrepare    ? 'p'
             : step.kind == Step::Kind::kForward  ? 'f'
             : step.kind == Step::Kind::kFill     ? '1'
             : step.kind == Step::Kind::kBackward ? 'b'
             : step.kind == Step::Kind::kRead     ? 'r'
             : step.kind == Step::Kind::kFinish   ? 'F'
             : step.kind == Step::Kind::kUpdate   ? 'U'
                                                  : '?';
  EXPECT_EQ(kinds, "ppffff1bbbrFUFU");
}

}  // namespace
}  // namespace orepa
