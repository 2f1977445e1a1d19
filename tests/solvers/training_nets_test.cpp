#include "solvers/training_nets.h"

#include <gtest/gtest.h>

#include "tests/data/sources/idx_files.h"
#include "tests/error_of.h"
#include "tests/training.h"

namespace orepa {
namespace {

// Twelve grey images of 8 x 8.
class ImageSizes : public testing::Test {
 protected:
  ImageSizes() {
    std::string pixels, labels;
    for (int i = 0; i < 12 * 64; ++i) pixels += static_cast<char>(i * 37 % 251);
    for (char i = 0; i < 12; ++i) labels += static_cast<char>(i % 3);
    write_file(folder_ + "images", idx({12, 8, 8}, pixels));
    write_file(folder_ + "labels", idx({12}, labels));
  }

  std::string data(const std::string& transform, const std::string& more = "") const {
    return text("layer { name: 'd' type: 'Data' top: 'x' top: 't' ", more,
                " data_param { source: '", folder_, "images' label_source: '", folder_,
                "labels' backend: IDX batch_size: 4 shuffle: true }",
                " transform_param { transform { random_crop { size: 8 pad: 1 } } ", transform,
                " transform { flip {} } transform { normalize { mean: 128 deviation: 64 } } } } ");
  }
  // `tail` makes "ip", a vector a sample, of "conv".
  std::string net(const std::string& source, const std::string& tail = kPooled) const {
    return text("net_param { ", source, R"(
        layer { name: "conv" type: "ORepaConv" bottom: "x" top: "conv"
                convolution_param { num_output: 4 kernel_size: 3 pad: 1 bias_term: false }
                orepa_param { preset: OREPA } }
        layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
        layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" }
        layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" })",
                tail, R"(
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "t" top: "loss" } } )");
  }
  std::string solver(const std::string& net, const std::string& more) const {
    return text(net, "base_lr: 0.05 momentum: 0.9 random_seed: 3 snapshot_prefix: '", folder_,
                "run' ", more);
  }
  std::string refusal(const std::string& net, const std::string& more) const {
    return error_of([&] { Training(solver(net, "max_iter: 8 " + more)); });
  }

  static constexpr const char* kInnerProduct =
      R"( layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
                  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } } )";
  static constexpr const char* kPooled =
      R"( layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool"
                  pooling_param { pool: AVE global_pooling: true } }
          layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip"
                  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } } )";
  static constexpr const char* kSizes =
      "image_size { size: 4 until_iter: 3 } image_size { size: 12 until_epoch: 2 } ";
  std::string folder_ = test_folder();
};

// A run of three iterations at 4 pixels, three at 12 and three at its own 8 is that of three
// solvers with one size each, which go on from one another.
TEST_F(ImageSizes, FollowOneAnother) {
  for (const std::string more : {"", "iter_size: 2 ", "ema_decay: 0.9 ", "clip_gradients: 0.1 "}) {
    // An epoch has three iterations, or two.
    const bool passes = more.starts_with("iter_size");
    const std::string settings = more + (passes ? "max_iter: 6 " : "max_iter: 9 ");
    Training progressive(solver(net(data("")), settings + kSizes), graphs_where_there_are());
    while (progressive->iteration() < progressive->last_iteration()) progressive->step();
    const std::string& notes = progressive.listener.notes;
    EXPECT_NE(notes.find("from iteration 1 on the images have 4 pixels"), std::string::npos)
        << notes;
    EXPECT_NE(notes.find("from iteration 4 on the images have 12 pixels"), std::string::npos);
    EXPECT_NE(notes.find(passes ? "from iteration 5 on the images have 8 pixels"
                                : "from iteration 7 on the images have 8 pixels"),
              std::string::npos);

    std::string snapshot;
    std::vector<float> last;
    const std::pair<const char*, int64_t> parts[] = {
        {"4", 3}, {"12", passes ? 4 : 6}, {"8", passes ? 6 : 9}};
    for (const auto& [size, end] : parts) {
      Training part(solver(net(data("")),
                           settings + text("image_size { size: ", size, " until_iter: 100 } ")),
                    resuming(snapshot));
      while (part->iteration() < end) part->step();
      snapshot = part->snapshot();
      last = part.state();
    }
    EXPECT_EQ(progressive.state(), last) << more;
  }
}

// What layers hand from pass to pass is handed on to the net of another size, too.
TEST_F(ImageSizes, KeepWhatLayersHandOn) {
  const std::string tail = text(kPooled, R"(
      layer { name: "cont" type: "DummyData" top: "cont"
              dummy_data_param { shape { dim: 1 dim: 4 }
                                 data_filler { type: "constant" value: 1 } } }
      layer { name: "step" type: "Reshape" bottom: "ip" top: "step"
              reshape_param { shape { dim: 1 dim: 4 dim: -1 } } }
      layer { name: "lstm" type: "LSTM" bottom: "step" bottom: "cont" top: "lstm"
              recurrent_param { num_output: 3 weight_filler { type: "xavier" } } }
      layer { name: "score" type: "Reshape" bottom: "lstm" top: "score"
              reshape_param { shape { dim: 4 dim: -1 } } } )");
  std::string recurrent = net(data(""), tail);
  const std::string before = "bottom: \"ip\" bottom: \"t\"";
  recurrent.replace(recurrent.find(before), before.size(), "bottom: 'score' bottom: 't'");
  const std::string snapshots = solver(recurrent, text("max_iter: 9 snapshot: 1 ", kSizes));
  Training whole(snapshots);
  ASSERT_TRUE(whole->solve());
  for (const int64_t iteration : {2, 3, 5, 6, 7}) {
    Training resumed(snapshots, resuming(text(folder_, "run_iter_", iteration, ".solverstate")));
    ASSERT_TRUE(resumed->solve());
    EXPECT_EQ(resumed.state(), whole.state()) << "from iteration " << iteration;
  }
}

// The images themselves are what the list of transforms makes of that size.
TEST_F(ImageSizes, AreThoseOfTransforms) {
  const std::string part = "transform { random_resized_crop { size: ", tail = " } }";
  const auto source = [&](const std::string& size) {
    std::string layer = data(part + size + tail);
    const std::string crop = "transform { random_crop { size: 8 pad: 1 } }";
    return layer.erase(layer.find(crop), crop.size());
  };
  Training scaled(solver(net(source("8")), "max_iter: 9 image_size { size: 5 until_iter: 9 }"));
  Training listed(solver(net(source("5")), "max_iter: 9"));
  for (int i = 0; i < 9; ++i) EXPECT_EQ(scaled->step(), listed->step());
  EXPECT_EQ(scaled.state(), listed.state());
}

TEST_F(ImageSizes, AreKeptByARunThatGoesOn) {
  const std::string snapshots = solver(net(data("")), text("max_iter: 9 snapshot: 2 ", kSizes));
  Training whole(snapshots);
  ASSERT_TRUE(whole->solve());
  for (const int64_t iteration : {2, 4, 8}) {
    Training resumed(snapshots, resuming(text(folder_, "run_iter_", iteration, ".solverstate")));
    ASSERT_TRUE(resumed->solve());
    EXPECT_EQ(resumed.state(), whole.state()) << "from iteration " << iteration;
  }
}

// Tests have the net's own size, and the memory is that of the largest one.
TEST_F(ImageSizes, AreOfTrainingAlone) {
  const std::string tests = "max_iter: 9 test_interval: 3 ";
  Training plain(solver(net(data("")), tests)),
      small(solver(net(data("")), tests + "image_size { size: 4 until_iter: 3 } ")),
      large(solver(net(data("")), tests + kSizes));
  EXPECT_LE(small->planned_bytes() - plain->planned_bytes(), 4096);  // constants of another net
  EXPECT_GT(large->planned_bytes(), plain->planned_bytes());
  const int64_t planned = large->planned_bytes();
  ASSERT_TRUE(large->solve());
  EXPECT_EQ(large->planned_bytes(), planned);
  ASSERT_EQ(large.listener.tests.size(), 4u);
  EXPECT_EQ(large->net().shape("x"), (Shape{4, 1, 8, 8}));
}

TEST_F(ImageSizes, SayHowMuchThereIsToCompute) {
  Training run(solver(net(data("")), text("max_iter: 9 ", kSizes)));
  EXPECT_DOUBLE_EQ(run->work(0, 9), 3 * 0.25 + 3 * 2.25 + 3);
  EXPECT_DOUBLE_EQ(run->work(2, 4), 0.25 + 2.25);
  EXPECT_DOUBLE_EQ(run->work(8, 9), 1);
  EXPECT_DOUBLE_EQ(run->work(5, 5), 0);
}

TEST_F(ImageSizes, RefuseNetsThatCannotHaveThem) {
  const std::string sizes = "image_size { size: 4 until_iter: 3 }";
  const std::string fixed = refusal(net(data(""), kInnerProduct), sizes);
  EXPECT_NE(fixed.find("the net cannot have images of 4 pixels"), std::string::npos) << fixed;
  EXPECT_NE(fixed.find("layer \"ip\""), std::string::npos) << fixed;
  EXPECT_NE(fixed.find("global_pooling"), std::string::npos) << fixed;
  const std::string input =
      "layer { name: 'in' type: 'Input' top: 'x' top: 't' input_param { shape { dim: 4 dim: 1 dim: "
      "8 dim: 8 } shape { dim: 4 } } }";
  EXPECT_NE(refusal(net(input), sizes).find("no layer of this phase has images of 4 pixels"),
            std::string::npos);
}

TEST_F(ImageSizes, RefuseWhatIsNoOrder) {
  const std::pair<const char*, const char*> bad[] = {
      {"image_size { size: 4 }", "needs until_epoch or until_iter"},
      {"image_size { size: 0 until_iter: 3 }", "size must lie in [1, 16384], got 0"},
      {"image_size { size: 16385 until_iter: 3 }", "size must lie in"},
      {"image_size { until_iter: 3 }", "size must lie in"},
      {"image_size { size: 4 until_iter: 3 } image_size { size: 6 until_iter: 3 }",
       "later than that of the one before; this one would be of iterations 3 to 3"},
      {"image_size { size: 4 until_iter: 3 until_epoch: 3 }", "not both"},
      {"image_size { size: 4 until_iter: -3 }", "until_iter must not be negative"},
      {"image_size { size: 4 until_epoch: 0 }", "needs until_epoch or until_iter"}};
  for (const auto& [text, expected] : bad)
    EXPECT_NE(refusal(net(data("")), text).find(expected), std::string::npos)
        << text << ": " << refusal(net(data("")), text);
}

}  // namespace
}  // namespace orepa
