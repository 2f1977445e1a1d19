#include <gtest/gtest.h>

#include "orepa/evaluate.h"
#include "orepa/tensor_file.h"
#include "tests/data/sources/idx_files.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// Five images of 1 x 1 x 2, 2 n and 2 n + 1, with labels n, batches of two; what is written is
// twice the image.
class Hdf5Output : public testing::Test {
 protected:
  Hdf5Output() {
    std::string pixels, labels;
    for (char n = 0; n < 5; ++n) {
      labels += n;
      pixels += {static_cast<char>(2 * n), static_cast<char>(2 * n + 1)};
    }
    write_file(folder_ + "images", idx({5, 1, 2}, pixels));
    write_file(folder_ + "labels", idx({5}, labels));
  }
  NetSpec spec(const std::string& rest = "") {
    return NetSpec::parse(
        "layer { name: 'd' type: 'Data' top: 'x' top: 't' data_param { batch_size: 2 backend: IDX "
        "source: '" +
            folder_ + "images' label_source: '" + folder_ +
            "labels' } }\n"
            "layer { name: 'twice' type: 'Power' bottom: 'x' top: 'y' power_param { scale: 2 } }\n"
            "layer { name: 'out' type: 'HDF5Output' bottom: 'y' bottom: 't' "
            "hdf5_output_param { file_name: '" +
            path_ + "' } " + rest + " }",
        "net.prototxt");
  }
  void expect_whole_set() {
    const TensorFileReader file(path_);
    EXPECT_EQ(file.shape("/data"), (Shape{5, 1, 1, 2}));
    EXPECT_EQ(file.read("/data"), (std::vector<float>{0, 2, 4, 6, 8, 10, 12, 14, 16, 18}));
    EXPECT_EQ(file.shape("/label"), (Shape{5}));
    EXPECT_EQ(file.read("/label"), (std::vector<float>{0, 1, 2, 3, 4}));
  }
  int64_t files() const {
    const std::filesystem::directory_iterator folder(folder_);
    return std::distance(begin(folder), end(folder)) - 2;  // beside the data
  }

  const std::string folder_ = test_folder(), path_ = folder_ + "seen.h5";
  std::unique_ptr<Device> device_ = test_device();
  Parameters parameters_{*device_, 1, false};
  Arena arena_{*device_};
};

TEST_F(Hdf5Output, WritesAWholeTestWithItsRest) {
  Evaluator evaluator(spec(), parameters_, arena_, {});
  evaluator.run();
  expect_whole_set();
  EXPECT_EQ(files(), 1);
  evaluator.run();  // anew, not behind the first one
  expect_whole_set();
}

TEST_F(Hdf5Output, AppearsWholeOrNotAtAll) {
  Evaluator evaluator(spec(), parameters_, arena_, {});
  EXPECT_FALSE(evaluator.run(0, [] { return true; }).complete);
  EXPECT_FALSE(std::filesystem::exists(path_));
  int batches = 0;
  EXPECT_NE(error_of([&] {
              evaluator.run(0, {}, {}, [&](Net&, int64_t) {
                if (++batches == 3) fail("no more");
              });
            }),
            "");
  EXPECT_FALSE(std::filesystem::exists(path_));
  evaluator.run();
  expect_whole_set();
  EXPECT_EQ(files(), 1);
}

TEST_F(Hdf5Output, HasWhatPassesSawSinceTheLastFile) {
  {
    Net net(spec(), parameters_, arena_, {});
    EXPECT_TRUE(net.writes_files());
    EXPECT_EQ(net.outputs().size(), 0u);
    for (const int64_t pass : {1, 0, 2}) net.forward(pass);
    net.finish_files();
    EXPECT_EQ(TensorFileReader(path_).read("/label"), (std::vector<float>{2, 3, 0, 1, 4, 0}));
    net.forward(1);
    net.drop_files();
    net.forward(0);
    net.finish_files();
    EXPECT_EQ(TensorFileReader(path_).read("/label"), (std::vector<float>{0, 1}));
    net.finish_files();  // nothing new
    EXPECT_EQ(TensorFileReader(path_).read("/label"), (std::vector<float>{0, 1}));
    net.forward(1);
  }
  EXPECT_EQ(TensorFileReader(path_).read("/label"), (std::vector<float>{0, 1}));
  EXPECT_EQ(files(), 1);
}

// So many batches that chunks and both buffers come again and again.
TEST_F(Hdf5Output, GrowsWithTheRun) {
  Net net(spec(), parameters_, arena_, {});
  std::vector<float> expected;
  const int64_t passes = 5000;
  for (int64_t pass = 0; pass < passes; ++pass) {
    net.forward(pass);
    for (const int64_t walked : {2 * pass, 2 * pass + 1})
      expected.push_back(static_cast<float>(walked % 5));
  }
  net.finish_files();
  EXPECT_EQ(TensorFileReader(path_).read("/label"), expected);
  EXPECT_EQ(TensorFileReader(path_).shape("/data"), (Shape{2 * passes, 1, 1, 2}));
}

TEST_F(Hdf5Output, SaysWhatIsWrong) {
  const auto refusal = [&](const std::string& layer) {
    return error_of([&] {
      const NetSpec net = NetSpec::parse(
          "layer { name: 'd' type: 'DummyData' top: 'x' top: 't' dummy_data_param { "
          "shape { dim: 2 dim: 3 } shape { dim: 3 } } }\n"
          "layer { name: 'out' type: 'HDF5Output' " +
              layer + " }",
          "net.prototxt");
      Net(net, parameters_, arena_, {});
    });
  };
  EXPECT_NE(refusal("bottom: 'x' bottom: 't'").find("file_name is missing"), std::string::npos);
  const std::string to = " hdf5_output_param { file_name: '" + path_ + "' }";
  EXPECT_NE(refusal("bottom: 'x' bottom: 't'" + to)
                .find("expected as many rows of data as of labels, got 2 x 3 and 3"),
            std::string::npos);
  EXPECT_NE(refusal("bottom: 'x'" + to).find("bottom"), std::string::npos);
  EXPECT_NE(refusal("bottom: 'x' bottom: 'x' hdf5_output_param { file_name: '" + folder_ +
                    "gone/out.h5' }"),
            "");
  NetOptions train;
  train.phase = Phase::kTrain;
  const Net test(spec(), parameters_, arena_, {});
  EXPECT_NE(error_of([&] { Net(spec(), parameters_, arena_, train); })
                .find("is written by the net of phase TEST; that of phase TRAIN needs a file of "
                      "its own"),
            std::string::npos);
}

}  // namespace
}  // namespace orepa
