#include <gtest/gtest.h>
#include <omp.h>

#include <set>

#include "core/processors.h"
#include "data/mean_image.h"
#include "layers/image_source.h"
#include "orepa.pb.h"
#include "orepa/net.h"
#include "tests/data/sources/idx_files.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// Five images of 1 x 2 x 2 whose pixels are 10 n + 0 ... 3, and labels n.
class Data : public testing::Test {
 protected:
  Data() : folder_(test_folder()) {
    std::string pixels, labels;
    for (char n = 0; n < 5; ++n) {
      labels += n;
      for (char p = 0; p < 4; ++p) pixels += static_cast<char>(10 * n + p);
    }
    write_gzipped(folder_ + "t-images-idx3-ubyte.gz", idx({5, 2, 2}, pixels));
    write_gzipped(folder_ + "t-labels-idx1-ubyte.gz", idx({5}, labels));
  }

  std::unique_ptr<Net> net(const std::string& fields, NetOptions options = {}) {
    const NetSpec spec = NetSpec::parse(
        "layer { name: 'd' type: 'Data' top: 'x' top: 't'\n"
        "  data_param { source: '" +
            folder_ + "t-images-idx3-ubyte.gz' backend: IDX " + fields +
            " }\n  transform_param { scale: 0.5 } }",
        "net.prototxt");
    return std::make_unique<Net>(spec, parameters_, arena_, options);
  }

  std::string refusal(const std::string& fields) {
    return error_of([&] { net(fields); });
  }

  std::string folder_;
  std::unique_ptr<Device> device_ = test_device();
  Parameters parameters_{*device_, 1, false};
  Arena arena_{*device_};
};

TEST_F(Data, GivesBatchAfterBatch) {
  const auto made = net("batch_size: 2");
  EXPECT_EQ(made->samples(), 5);
  EXPECT_EQ(made->batch_size(), 2);
  made->forward(2);
  EXPECT_EQ(made->shape("x"), (Shape{2, 1, 2, 2}));
  EXPECT_EQ(made->read("t"), (std::vector<float>{4, 0}));
  EXPECT_EQ(made->read("x"), (std::vector<float>{20, 20.5f, 21, 21.5f, 0, 0.5f, 1, 1.5f}));
}

// As Caffe: where a pixel was before the crop and the flip, the mean is the mean image's.
TEST_F(Data, SubtractsAMeanImage) {
  BlobProto mean;
  for (const int extent : {1, 1, 3, 4}) mean.mutable_shape()->add_dim(extent);
  for (int i = 0; i < 12; ++i) mean.add_data(static_cast<float>(i) + 0.25f);
  BlobProto old = mean;
  old.clear_shape();
  old.set_num(1), old.set_channels(1), old.set_height(3), old.set_width(4);
  std::string pixels;
  for (char i = 0; i < 12; ++i) pixels += static_cast<char>(2 * i);
  write_file(folder_ + "images", idx({1, 3, 4}, pixels));
  for (const BlobProto& blob : {mean, old}) {
    write_file(folder_ + "mean.binaryproto", blob.SerializeAsString());
    const NetSpec spec = NetSpec::parse(
        "layer { name: 'd' type: 'Data' top: 'x' data_param { source: '" + folder_ +
            "images' backend: IDX batch_size: 1 } transform_param { crop_size: 2 mirror: true "
            "mean_file: '" +
            folder_ + "mean.binaryproto' } }",
        "net.prototxt");
    NetOptions train;
    train.phase = Phase::kTrain;
    Net net(spec, parameters_, arena_, train);
    std::set<std::vector<float>> seen;
    for (int64_t pass = 0; pass < 200; ++pass) {
      net.forward(pass);
      seen.insert(net.read("x"));
    }
    std::set<std::vector<float>> expected;  // pixel i becomes i - 0.25
    for (int top = 0; top < 2; ++top)
      for (int left = 0; left < 3; ++left) {
        const float first = static_cast<float>(4 * top + left) - 0.25f;
        expected.insert({first, first + 1, first + 4, first + 5});
        expected.insert({first + 1, first, first + 5, first + 4});
      }
    EXPECT_EQ(seen, expected);
  }
  const auto refusal = [&](const std::string& bytes) {
    write_file(folder_ + "bad", bytes);
    return error_of([&] { read_mean_image(folder_ + "bad"); });
  };
  EXPECT_NE(refusal("no protobuf").find("is no mean file"), std::string::npos);
  mean.mutable_data()->RemoveLast();
  EXPECT_NE(refusal(mean.SerializeAsString()).find("it has 11 numbers"), std::string::npos);
  EXPECT_NE(refusal("").find("is no image of C x H x W"), std::string::npos);
}

TEST_F(Data, ReadsTheRaggedLastBatch) {
  NetOptions options;
  options.batch_size = 3;
  options.first_sample = 2;
  const auto made = net("batch_size: 2", options);
  made->forward(0);
  EXPECT_EQ(made->read("t"), (std::vector<float>{2, 3, 4}));
}

TEST_F(Data, ShufflesInTrainingUnlessToldOtherwise) {
  const std::vector<float> in_order{0, 1, 2, 3, 4};
  NetOptions train;
  train.phase = Phase::kTrain;
  const auto shuffled = net("batch_size: 5", train);
  const auto ordered = net("batch_size: 5 shuffle: false", train);
  int in_place = 0;
  for (int64_t pass = 0; pass < 10; ++pass) {
    shuffled->forward(pass);
    in_place += shuffled->read("t") == in_order;
    ordered->forward(pass);
    EXPECT_EQ(ordered->read("t"), in_order);
  }
  EXPECT_LT(in_place, 3);  // of 120 orders
}

TEST_F(Data, IsDecodedByTheProcessorsThatDoNotTrain) {
  const std::unique_ptr<Device> cpu = make_device("cpu");
  const int threads = omp_get_max_threads();
  omp_set_num_threads(2);
  const auto of = [&](int processors) {
    take_processors(processors);
    return decoding_threads(*cpu);
  };
  EXPECT_EQ(of(7), 5);
  EXPECT_EQ(of(2), 1);
  EXPECT_EQ(of(1), 1);
  take_processors(0);
  omp_set_num_threads(threads);
}

TEST_F(Data, SaysWhereItIsWrong) {
  EXPECT_NE(refusal("batch_size: 1 threads: 4000000000")
                .find("data_param.threads must be 1000 at most, got 4000000000"),
            std::string::npos);
  EXPECT_NE(refusal("batch_size: 1 prefetch: 1001").find("data_param.prefetch must be"),
            std::string::npos);
  EXPECT_NE(refusal("batch_size: 1 max_broken: 2").find("max_broken must lie in [0, 1], got 2"),
            std::string::npos);
  EXPECT_NE(refusal("").find("net.prototxt:1:1: layer \"d\" (Data): batch_size is missing"),
            std::string::npos)
      << refusal("");
  EXPECT_NE(refusal("batch_size: 2 label_source: '/absent'").find("/absent: cannot be read"),
            std::string::npos);
  EXPECT_NE(refusal("batch_size: 2 crop_size: 1").find("transform_param"), std::string::npos);
  EXPECT_NE(refusal("batch_size: 4294967295").find("an output would be"), std::string::npos);
}

}  // namespace
}  // namespace orepa
