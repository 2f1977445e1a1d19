// What several ranks make of a batch is, put together, what one makes of it.
#include <gtest/gtest.h>

#include "orepa.pb.h"
#include "orepa/evaluate.h"
#include "orepa/net.h"
#include "tests/data/sources/idx_files.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/rank.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

class BatchRowsTest : public testing::Test {
 protected:
  BatchRowsTest() {
    std::string pixels, labels;
    for (int i = 0; i < 9 * 12; ++i) pixels += static_cast<char>(i * 37 % 251);
    for (char i = 0; i < 9; ++i) labels += i;
    write_file(folder_ + "images", idx({9, 3, 4}, pixels));
    write_file(folder_ + "labels", idx({9}, labels));
  }

  // All outputs of a few passes, or that of a name, row by row: those of rank `rank` of `size`.
  std::vector<std::vector<float>> rows(const std::string& layers, int rank, int size,
                                       BatchRows* are = nullptr, const std::string& only = "") {
    Rank ranks(rank, size);
    NetOptions options;
    options.phase = Phase::kTrain;
    if (size > 1) options.ranks = &ranks;
    Parameters parameters(*device_, 5, true);
    Arena arena(*device_);
    Net net(NetSpec::parse(layers, "net.prototxt"), parameters, arena, options);
    if (are != nullptr) *are = net.rows();
    std::vector<std::vector<float>> outputs;
    for (int64_t pass : {0, 1, 4}) {
      net.prepare();
      net.forward(pass);
      for (const Net::Blob& blob : net.outputs())
        if (only.empty() || blob.name == only) outputs.push_back(net.read(blob.name));
    }
    return outputs;
  }

  void expect_together(const std::string& layers, const std::vector<int>& sizes = {2, 3, 5}) {
    const auto whole = rows(layers, 0, 1);
    for (const int size : sizes) {
      std::vector<std::vector<float>> together(whole.size());
      for (int rank = 0; rank < size; ++rank) {
        const auto part = rows(layers, rank, size);
        for (size_t o = 0; o < part.size(); ++o)
          together[o].insert(together[o].end(), part[o].begin(), part[o].end());
      }
      EXPECT_EQ(together, whole) << size << " ranks: " << layers;
    }
  }

  std::string data(const std::string& more = "", int batch = 5) const {
    return text("layer { name: 'd' type: 'Data' top: 'x' top: 't' data_param { source: '", folder_,
                "images' label_source: '", folder_, "labels' backend: IDX batch_size: ", batch,
                " shuffle: true } transform_param { transform { random_crop { size: 3 } } ",
                "transform { flip {} } } } ", more);
  }

  std::string folder_ = test_folder();
  std::unique_ptr<Device> device_ = test_device();
};

TEST_F(BatchRowsTest, OfSourcesAreThoseOfTheWholeBatch) {
  expect_together(data());
  expect_together(
      "layer { name: 'd' type: 'DummyData' top: 'x' top: 't' dummy_data_param { shape { dim: 5 "
      "dim: "
      "2 dim: 3 } shape { dim: 5 } data_filler { type: 'gaussian' } data_filler { type: 'uniform' "
      "} "
      "} }");
}

TEST_F(BatchRowsTest, AreDroppedAsThoseOfTheWholeBatch) {
  expect_together(data("layer { name: 'drop' type: 'Dropout' bottom: 'x' top: 'y' }"));
  expect_together(
      data("layer { name: 'c' type: 'Convolution' bottom: 'x' top: 'c' convolution_param { "
           "num_output: 3 "
           "kernel_size: 2 weight_filler { type: 'xavier' } } } "
           "layer { name: 'drop' type: 'Dropout' bottom: 'c' top: 'c' }"));
}

const std::string kMixup =
    "layer { name: 'm' type: 'Mixup' bottom: 'x' bottom: 't' top: 'y' top: 'u' mixup_param { "
    "classes: 9 mixup_alpha: 1 cutmix_alpha: 1 } }";

// Where pairs are not torn apart.
TEST_F(BatchRowsTest, AreMixedAsThoseOfTheWholeBatch) {
  expect_together(data(kMixup), {2});  // 0 to 1 and 2 to 4
  expect_together(data(kMixup, 8), {2, 4});
}

// Losses are parts of that of the whole batch, so that they and their gradients add up to it.
TEST_F(BatchRowsTest, HaveLossesThatAddUp) {
  const std::string gain = folder_ + "gain";
  BlobProto matrix;
  for (int i = 0; i < 9 * 9; ++i) matrix.add_data(0.1f * static_cast<float>(i % 11));
  write_file(gain, matrix.SerializeAsString());
  std::vector<std::string> losses = {
      "type: 'EuclideanLoss' bottom: 'a' bottom: 'b'",
      "type: 'SmoothL1Loss' bottom: 'a' bottom: 'b'",
      "type: 'HingeLoss' bottom: 'a' bottom: 't'",
      "type: 'MultinomialLogisticLoss' bottom: 'p' bottom: 't'",
      "type: 'ContrastiveLoss' bottom: 'a' bottom: 'b' bottom: 't'",
  };
  for (const char* normalization : {"VALID", "FULL", "BATCH_SIZE", "NONE"})
    for (const char* loss : {"type: 'SoftmaxWithLoss' bottom: 'a' bottom: 't'",
                             "type: 'SigmoidCrossEntropyLoss' bottom: 'a' bottom: 'p'",
                             "type: 'InfogainLoss' bottom: 'a' bottom: 't'"})
      losses.push_back(text(loss, " loss_param { normalization: ", normalization, " }",
                            std::string(loss).find("Infogain") == std::string::npos
                                ? ""
                                : " infogain_loss_param { source: '" + gain + "' }"));
  for (const std::string& loss : losses) {
    std::string layers = data();
    for (const char* name : {"a", "b"})
      layers += text("layer { name: '", name, "' type: 'InnerProduct' bottom: 'x' top: '", name,
                     "' inner_product_param { num_output: 9 weight_filler { type: 'xavier' } } } ");
    layers += "layer { name: 'p' type: 'Softmax' bottom: 'a' top: 'p' } ";
    layers += text("layer { name: 'loss' top: 'loss' ", loss, " }");
    const auto whole = rows(layers, 0, 1, nullptr, "loss");
    std::vector<float> sums(whole.size());
    for (int rank = 0; rank < 3; ++rank) {
      const auto part = rows(layers, rank, 3, nullptr, "loss");
      for (size_t o = 0; o < part.size(); ++o) sums[o] += part[o][0];
    }
    for (size_t o = 0; o < whole.size(); ++o)
      EXPECT_NEAR(sums[o], whole[o][0], 2e-6f * std::abs(whole[o][0])) << loss;
  }
}

TEST_F(BatchRowsTest, AreSpreadOverTheRanks) {
  const std::pair<int64_t, int64_t> expected[] = {{0, 1}, {1, 2}, {3, 2}};
  for (int rank = 0; rank < 3; ++rank) {
    BatchRows are;
    rows(data(), rank, 3, &are);
    EXPECT_EQ(are.whole, 5);
    EXPECT_EQ(std::make_pair(are.first, are.count), expected[rank]);
  }
}

TEST_F(BatchRowsTest, AreRefusedWhereTheyCannotBe) {
  EXPECT_NE(error_of([&] { rows(data(), 0, 6); }).find("has batches of 5 for 6 processes"),
            std::string::npos);
  for (int rank = 0; rank < 3; ++rank)  // 0, 1 to 2, and 3 to 4
    EXPECT_NE(error_of([&] { rows(data(kMixup), rank, 3); })
                  .find("batches of 5 for 3 processes tear apart; take a batch_size that is a "
                        "multiple of 6"),
              std::string::npos)
        << rank;
  const std::string sequences = text(R"(
      layer { name: 'x' type: 'DummyData' top: 'x' top: 'cont'
              dummy_data_param { shape { dim: 4 dim: 2 dim: 3 } shape { dim: 4 dim: 2 } } }
      layer { name: 'h' type: 'RNN' bottom: 'x' bottom: 'cont' top: 'h'
              recurrent_param { num_output: 2 } } )");
  EXPECT_NE(error_of([&] { rows(sequences, 0, 2); }).find("first axis, which is time here"),
            std::string::npos);
  Rank ranks(0, 2);
  Parameters parameters(*device_, 5, true);
  Arena arena(*device_);
  const NetSpec spec = NetSpec::parse(sequences, "net.prototxt");
  EXPECT_NE(error_of([&] {
              Evaluator(spec, parameters, arena, {}, &ranks);
            }).find("each batch of a test goes on from the one before"),
            std::string::npos);
}

}  // namespace
}  // namespace orepa
