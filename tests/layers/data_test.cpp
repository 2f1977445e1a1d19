#include <gtest/gtest.h>

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

TEST_F(Data, SaysWhereItIsWrong) {
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
