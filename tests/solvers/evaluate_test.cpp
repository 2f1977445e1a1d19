#include "orepa/evaluate.h"

#include "tests/data/sources/idx_files.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/test_device.h"
#include "tests/training.h"

namespace orepa {
namespace {

// A net over `samples` images in batches of `batch`.
// `through`: what labels go through between the data and the net.
NetSpec net_over(const std::string& folder, int samples, int batch,
                 const std::string& through = "") {
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
          folder, R"(a-images-idx3-ubyte" backend: IDX batch_size: )", batch, " } }", through,
          R"(
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

TEST(Evaluator, RefusesLabelsThatAreKnownToBeNoClasses) {
  const std::string folder = test_folder();
  const NetSpec spec = net_over(folder, 6, 2);
  write_file(folder + "a-labels-idx1-ubyte", idx({6}, std::string("\0\1\2\0\7\1", 6)));
  EXPECT_NE(error_of([&] { evaluate(spec); })
                .find("layer \"accuracy\" (Accuracy): there are 3 classes, counted from 0, but the "
                      "labels of the data run from 0 to 7"),
            std::string::npos);
}

// The set's fifth sample is no class, in a whole batch or in the rest of the set.
TEST(Evaluator, NamesTheSampleWhoseLabelIsNoClass) {
  const std::string folder = test_folder();
  for (const int batch : {1, 2, 3, 4, 6}) {
    // Behind another layer, labels are no longer known to be those of the data.
    const NetSpec spec =
        net_over(folder, 6, batch,
                 "layer { name: 'through' type: 'Concat' bottom: 'label' top: 'label' "
                 "concat_param { axis: 0 } }");
    write_file(folder + "a-labels-idx1-ubyte", idx({6}, std::string("\0\1\2\0\7\1", 6)));
    const std::string message = error_of([&] { evaluate(spec); });
    EXPECT_NE(message.find("sample 4 of the data, counted from 0: its label 7 is no class; there "
                           "are 3"),
              std::string::npos)
        << batch << "\n"
        << message;
  }
}

// Every sample once, whatever the batches are.
TEST(Evaluator, ShowsTheBlobsOfEveryBatch) {
  const std::string folder = test_folder();
  std::vector<float> wanted_scores;
  for (const int batch : {10, 4, 3, 16}) {
    const NetSpec spec = net_over(folder, 10, batch);
    const std::unique_ptr<Device> device = test_device();
    Parameters parameters(*device, 1, false);
    Arena arena(*device);
    NetOptions options;
    const std::optional<TestBlobs> blobs = test_blobs(spec, options);
    ASSERT_TRUE(blobs);
    EXPECT_EQ(blobs->names(), (std::vector<std::string>{"ip", "label", "x"}));
    EXPECT_FALSE(blobs->probabilities);
    options.keep = blobs->names();
    Evaluator evaluator(spec, parameters, arena, options);
    std::vector<float> scores, labels;
    const auto append = [](std::vector<float>& to, const std::vector<float>& values) {
      to.insert(to.end(), values.begin(), values.end());
    };
    evaluator.run(0, {}, {}, [&](Net& net, int64_t first_sample) {
      EXPECT_EQ(first_sample, static_cast<int64_t>(labels.size()));
      append(scores, net.read(blobs->scores));
      append(labels, net.read(blobs->labels));
      EXPECT_EQ(net.read(blobs->images).size(), 9u * net.shape(blobs->images)[0]);
    });
    ASSERT_EQ(labels.size(), 10u);
    for (int n = 0; n < 10; ++n) EXPECT_EQ(labels[n], n * n % 3);
    if (wanted_scores.empty()) wanted_scores = scores;
    ASSERT_EQ(scores.size(), wanted_scores.size());
    for (size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(scores[i], wanted_scores[i], 1e-5);
  }
}

std::optional<TestBlobs> blobs_of(const std::string& layers) {
  return test_blobs(NetSpec::parse("layer { name: 'x' type: 'Input' top: 'x' } "
                                   "layer { name: 'label' type: 'Input' top: 'label' }" +
                                       layers,
                                   "net.prototxt"),
                    {});
}

TEST(TestBlobs, AreThoseOfTheFirstAccuracyLayer) {
  const std::string accuracy =
      "layer { name: 'a' type: 'Accuracy' bottom: 'y' bottom: 'label' top: 'a' }";
  const auto blobs =
      blobs_of("layer { name: 'y' type: 'Softmax' bottom: 'x' top: 'y' }" + accuracy +
               "layer { name: 'b' type: 'Accuracy' bottom: 'x' bottom: 'label' top: 'b' }");
  ASSERT_TRUE(blobs);
  EXPECT_EQ(blobs->names(), (std::vector<std::string>{"y", "label"}));
  EXPECT_TRUE(blobs->probabilities);
  EXPECT_FALSE(blobs_of("layer { name: 'y' type: 'Softmax' bottom: 'x' top: 'y' }"));
  EXPECT_FALSE(blobs_of("layer { name: 'y' type: 'ReLU' bottom: 'x' top: 'y' }" + accuracy +
                        "layer { name: 'r' type: 'ReLU' bottom: 'y' top: 'y' }"));
}

TEST(Evaluator, StopsBetweenBatches) {
  int asked = 0;
  const Evaluation stopped =
      evaluate(net_over(test_folder(), 10, 2), 0, [&] { return ++asked == 3; });
  EXPECT_FALSE(stopped.complete);
  EXPECT_EQ(stopped.samples, 6);
}

// So that a snapshot follows where a batch fails, and none where the ranks do, who are asked
// whether to stop.
TEST(Evaluator, ThrowsATestFailureWhereABatchFails) {
  const NetSpec spec = net_over(test_folder(), 10, 2);
  const std::unique_ptr<Device> device = test_device();
  Parameters parameters(*device, 1, false);
  Arena arena(*device);
  Evaluator evaluator(spec, parameters, arena, {});
  EXPECT_THROW(
      evaluator.run(0, {}, {}, [](Net&, int64_t) { fail("no picture can be made of it"); }),
      TestFailure);
  try {
    evaluator.run(0, []() -> bool { fail("rank 1 has left"); });
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(dynamic_cast<const TestFailure*>(&error), nullptr);
  }
}

}  // namespace
}  // namespace orepa
