#include <gtest/gtest.h>

#include <algorithm>

#include "orepa/net.h"
#include "orepa/tensor_file.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// Rows of `x`, 2 x 1 x 2: 100 n + 0 ... 3, of `pair`, 2: n, -n, and of `t`: n; 3 of them in one
// file, 2 in another.
class Hdf5Data : public testing::Test {
 protected:
  void write(const std::string& name, int64_t first, int64_t count) {
    std::vector<float> x, pair, t;
    for (int64_t n = first; n < first + count; ++n) {
      const auto number = static_cast<float>(n);
      for (int i = 0; i < 4; ++i) x.push_back(100 * number + static_cast<float>(i));
      pair.insert(pair.end(), {number, -number});
      t.push_back(number);
    }
    TensorFileWriter file;
    file.write("x", {count, 2, 1, 2}, x);
    file.write("pair", {count, 2}, pair);
    file.write("t", {count}, t);
    file.save(folder_ + name);
  }
  void SetUp() override {
    write("a.h5", 0, 3);
    write("b.h5", 3, 2);
    write_file(list_, folder_ + "a.h5\n\n" + folder_ + "b.h5 \r\n");
  }

  std::unique_ptr<Net> net(const std::string& fields, NetOptions options = {},
                           const std::string& rest = "top: 'x' top: 'pair' top: 't'") {
    const NetSpec spec =
        NetSpec::parse("layer { name: 'd' type: 'HDF5Data' " + rest +
                           " hdf5_data_param { source: '" + list_ + "' " + fields + " } }",
                       "net.prototxt");
    return std::make_unique<Net>(spec, parameters_, arena_, options);
  }
  std::string refusal(const std::string& fields, const std::string& rest = "top: 'x' top: 't'") {
    return error_of([&] { net(fields, {}, rest); });
  }

  const std::string folder_ = test_folder(), list_ = folder_ + "list.txt";
  std::unique_ptr<Device> device_ = test_device();
  Parameters parameters_{*device_, 1, false};
  Arena arena_{*device_};
};

TEST_F(Hdf5Data, GoesFromFileToFile) {
  const auto made = net("batch_size: 2");
  EXPECT_EQ(made->samples(), 5);
  EXPECT_EQ(made->shape("x"), (Shape{2, 2, 1, 2}));
  EXPECT_EQ(made->shape("pair"), (Shape{2, 2}));
  EXPECT_EQ(made->shape("t"), (Shape{2}));
  made->forward(1);
  EXPECT_EQ(made->read("t"), (std::vector<float>{2, 3}));
  EXPECT_EQ(made->read("pair"), (std::vector<float>{2, -2, 3, -3}));
  EXPECT_EQ(made->read("x"), (std::vector<float>{200, 201, 202, 203, 300, 301, 302, 303}));
  made->forward(2);
  EXPECT_EQ(made->read("t"), (std::vector<float>{4, 0}));
}

TEST_F(Hdf5Data, ReadsTheRaggedLastBatch) {
  NetOptions options;
  options.batch_size = 1;
  options.first_sample = 4;
  const auto made = net("batch_size: 2", options);
  made->forward(0);
  EXPECT_EQ(made->read("t"), (std::vector<float>{4}));
}

TEST_F(Hdf5Data, ShufflesWhereItIsTold) {
  NetOptions train;
  train.phase = Phase::kTrain;
  const auto ordered = net("batch_size: 5", train),
             shuffled = net("batch_size: 5 shuffle: true", train);
  const std::vector<float> in_order{0, 1, 2, 3, 4};
  int in_place = 0;
  for (int64_t pass = 0; pass < 10; ++pass) {
    ordered->forward(pass);
    EXPECT_EQ(ordered->read("t"), in_order);
    shuffled->forward(pass);
    std::vector<float> walk = shuffled->read("t");
    in_place += walk == in_order;
    std::sort(walk.begin(), walk.end());
    EXPECT_EQ(walk, in_order);
  }
  EXPECT_LT(in_place, 3);  // of 120 orders
}

TEST_F(Hdf5Data, SaysWhatIsWrong) {
  EXPECT_NE(refusal("").find("batch_size is missing"), std::string::npos);
  EXPECT_NE(refusal("batch_size: 1", "top: 'y'").find("a.h5: has no array /y"), std::string::npos);
  EXPECT_NE(refusal("batch_size: 1", "top: 'x' transform_param { scale: 2 }")
                .find("transform_param is of images"),
            std::string::npos);
  TensorFileWriter file;
  file.write("x", {2, 2, 2, 1}, std::vector<float>(8));
  file.write("t", {3}, std::vector<float>(3));
  file.save(folder_ + "c.h5");
  write_file(list_, folder_ + "a.h5\n" + folder_ + "c.h5");
  EXPECT_NE(refusal("batch_size: 1")
                .find("c.h5: a row of the array x is 2 x 2 x 1, but in the first file 2 x 1 x 2"),
            std::string::npos)
      << refusal("batch_size: 1");
  write_file(list_, folder_ + "c.h5");
  EXPECT_NE(refusal("batch_size: 1").find("c.h5: array t has 3 rows, but x has 2"),
            std::string::npos);
  write_file(list_, "\n");
  EXPECT_NE(refusal("batch_size: 1").find("list.txt: names no file"), std::string::npos);
  write_file(list_, folder_ + "gone.h5");
  EXPECT_NE(refusal("batch_size: 1").find("gone.h5: cannot be read"), std::string::npos);
}

}  // namespace
}  // namespace orepa
