#include "orepa/evaluate.h"

#include "tests/data/sources/idx_files.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/test_device.h"
#include "tests/training.h"

namespace orepa {
namespace {

// A net over `samples` images in batches of `batch`.
NetSpec net_over(const std::string& folder, int samples, int batch) {
  std::string pixels, labels;
  for (int n = 0; n < samples; ++n) {
    for (int i = 0; i < 9; ++i) pixels += static_cast<char>((n * 37 + i * i * 11 + 5) % 251);
    labels += static_cast<char>(n * n % 3);
  }
  write_file(folder + "a-images-idx3-ubyte", idx({samples, 3, 3}, pixels));
  write_file(folder + "a-labels-idx1-ubyte", idx({samples}, labels));
  return NetSpec::parse(
      text(
          R"(layer { name: "data" type: "Data" top: "x" top: "label" transform_param { scale: 0.02 }
                      data_param { source: ")",
          folder, R"(a-images-idx3-ubyte" backend: IDX batch_size: )", batch, R"( } }
              layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
                      inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
              layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label"
                      top: "accuracy" }
              layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label"
                      top: "loss" loss_weight: 0.5 })"),
      "net.prototxt");
}

Evaluation evaluate(const NetSpec& spec, int64_t batches = 0,
                    const std::function<bool()>& stop = {}) {
  const std::unique_ptr<Device> device = test_device();
  Parameters parameters(*device, 1, false);
  Arena arena(*device);
  Evaluator evaluator(spec, parameters, arena, {});
  return evaluator.run(batches, stop);
}

// As all samples in one batch, to the rounding of the batches' means.
void expect_equal(const Evaluation& got, const Evaluation& wanted) {
  EXPECT_EQ(got.samples, wanted.samples);
  ASSERT_EQ(got.outputs.size(), wanted.outputs.size());
  for (size_t o = 0; o < wanted.outputs.size(); ++o) {
    EXPECT_EQ(got.outputs[o].blob, wanted.outputs[o].blob);
    EXPECT_EQ(got.outputs[o].loss_weight, wanted.outputs[o].loss_weight);
    ASSERT_EQ(got.outputs[o].values.size(), 1u);
    EXPECT_NEAR(got.outputs[o].values[0], wanted.outputs[o].values[0], 1e-6);
  }
}

TEST(Evaluator, WeighsTheRaggedLastBatchByItsSamples) {
  const std::string folder = test_folder();
  const Evaluation wanted = evaluate(net_over(folder, 10, 10));
  EXPECT_EQ(wanted.samples, 10);
  EXPECT_EQ(wanted.outputs[0].blob, "accuracy");
  EXPECT_EQ(wanted.outputs[0].loss_weight, 0);
  EXPECT_EQ(wanted.outputs[1].loss_weight, 0.5);
  for (const int batch : {1, 3, 4, 5, 9, 16})
    expect_equal(evaluate(net_over(folder, 10, batch)), wanted);
}

TEST(Evaluator, RunsTheBatchesThatCaffesTestIterAsksFor) {
  const std::string folder = test_folder();
  const Evaluation wanted = evaluate(net_over(folder, 8, 8));
  // The first 8 of 10: their samples are the same.
  expect_equal(evaluate(net_over(folder, 10, 4), 2), wanted);
}

// Scores that are given, and labels that the test chooses.
double accuracy(const std::vector<float>& scores, const std::vector<float>& labels,
                const std::string& param = "") {
  const NetSpec spec = NetSpec::parse(
      text(R"(layer { name: "in" type: "Input" top: "x" top: "label" input_param {
                      shape { dim: )",
           labels.size(), " dim: ", scores.size() / labels.size(),
           " } shape { dim: ", labels.size(),
           R"( } } } layer { name: "accuracy" type: "Accuracy" bottom: "x" bottom: "label"
                      top: "accuracy" accuracy_param { )",
           param, " } }"),
      "net.prototxt");
  const std::unique_ptr<Device> device = test_device();
  Parameters parameters(*device, 1, false);
  Arena arena(*device);
  Evaluator evaluator(spec, parameters, arena, {});
  return evaluator
      .run(1, {},
           [&](Net& net, int64_t) {
             net.set("x", scores);
             net.set("label", labels);
           })
      .outputs.at(0)
      .values.at(0);
}

TEST(Accuracy, CountsWhatIsNoNumberAsWrong) {
  const float nan = NAN;
  EXPECT_EQ(accuracy({1, 2, 3, 0}, {1, 0}), 1);
  EXPECT_EQ(accuracy({nan, nan, nan, nan}, {1, 0}), 0);
  EXPECT_EQ(accuracy({1, nan, 3, 0}, {1, 0}), 0.5);  // the true class's score is none
  EXPECT_EQ(accuracy({nan, 2, 3, 0}, {1, 0}), 0.5);  // another's is none: who knows which is larger
  EXPECT_EQ(accuracy({nan, 2, 3, 3, 2, 1}, {1, 0}, "top_k: 2"), 0.5);
}

TEST(Accuracy, OfALabelThatIsNoClassIsAnErrorThatNamesTheSample) {
  EXPECT_EQ(accuracy({1, 2, 3, 0}, {1, 255}, "ignore_label: 255"), 1);
  for (const float label : {2.0f, 255.0f, -1.0f}) {
    const std::string message = error_of([&] { accuracy({1, 2, 3, 0}, {1, label}); });
    EXPECT_NE(
        message.find(text("layer \"accuracy\" (Accuracy), output \"accuracy\": sample 1 of pass "
                          "0, counted from 0: its label ",
                          label, " is no class; there are 2")),
        std::string::npos)
        << message;
  }
}

// The set's fifth sample is no class, in a whole batch or in the rest of the set.
TEST(Evaluator, NamesTheSampleWhoseLabelIsNoClass) {
  const std::string folder = test_folder();
  for (const int batch : {1, 2, 3, 4, 6}) {
    const NetSpec spec = net_over(folder, 6, batch);
    write_file(folder + "a-labels-idx1-ubyte", idx({6}, std::string("\0\1\2\0\7\1", 6)));
    const std::string message = error_of([&] { evaluate(spec); });
    EXPECT_NE(message.find("sample 4 of the data, counted from 0: its label 7 is no class; there "
                           "are 3"),
              std::string::npos)
        << batch << "\n"
        << message;
  }
}

TEST(Evaluator, StopsBetweenBatches) {
  int asked = 0;
  const Evaluation stopped =
      evaluate(net_over(test_folder(), 10, 2), 0, [&] { return ++asked == 3; });
  EXPECT_FALSE(stopped.complete);
  EXPECT_EQ(stopped.samples, 6);
}

}  // namespace
}  // namespace orepa
