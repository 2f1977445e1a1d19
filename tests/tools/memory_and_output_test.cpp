// Layers that take samples from the program or write what they see, in the tool's hands.
#include "orepa/tensor_file.h"
#include "tests/tools/tool_fixture.h"

namespace orepa {
namespace {

class OutputToolTest : public ToolTest {
 protected:
  // Ends the net of make_task(); returns what is written.
  std::string add_output(const std::string& phase) {
    const std::string path = folder_ + phase + ".h5";
    write_file(net_, read_file(net_) +
                         "layer { name: 'out' type: 'HDF5Output' bottom: 'ip' "
                         "bottom: 'label' include { phase: " +
                         phase + " } hdf5_output_param { file_name: '" + path + "' } }");
    return path;
  }
  static std::vector<float> labels(int64_t count) {
    std::vector<float> labels;
    for (int64_t n = 0; n < count; ++n) labels.push_back(static_cast<float>(n % 70 % 2));
    return labels;
  }
};

TEST_F(OutputToolTest, WritesWhatATestSaw) {
  make_task(3);
  const std::string path = add_output("TEST");
  write_file(solver_, read_file(solver_) + " test_interval: 2 test_initialization: false");
  ASSERT_EQ(run({"train", "--solver", solver_}), kDone) << output_;
  const std::vector<float> trained = TensorFileReader(path).read("/data");
  EXPECT_EQ(TensorFileReader(path).shape("/data"), (Shape{70, 2}));
  EXPECT_EQ(TensorFileReader(path).read("/label"), labels(70));
  std::filesystem::remove(path);
  ASSERT_EQ(run({"test", "--model", net_, "--weights", folder_ + "snap_iter_3.caffemodel"}), kDone)
      << output_;
  EXPECT_EQ(TensorFileReader(path).read("/label"), labels(70));
  EXPECT_EQ(TensorFileReader(path).read("/data"), trained);  // a training ends with a test
}

TEST_F(OutputToolTest, WritesWhatATrainingSaw) {
  make_task(6);
  const std::string path = add_output("TRAIN");
  write_file(net_, read_file(net_).replace(read_file(net_).find("backend: IDX"), 12,
                                           "backend: IDX shuffle: false"));
  ASSERT_EQ(run({"train", "--solver", solver_}), kDone) << output_;
  EXPECT_EQ(TensorFileReader(path).read("/label"), labels(6 * 16));
}

TEST_F(OutputToolTest, SaysThatItHasNoSamplesForMemoryData) {
  make_task(3);
  std::string net = read_file(net_);
  net.replace(0, net.find("layer { name: \"conv\""),
              "layer { name: 'data' type: 'MemoryData' top: 'data' top: 'label' "
              "memory_data_param { batch_size: 4 channels: 1 height: 8 width: 8 } }\n");
  write_file(net_, net);
  EXPECT_EQ(run({"train", "--solver", solver_}), kFailed);
  EXPECT_SAYS(
      "layer \"data\" (MemoryData): top \"data\" has no samples; they come from the program");
  EXPECT_EQ(run({"test", "--model", net_, "--weights", file("none.h5", "")}), kFailed);
}

}  // namespace
}  // namespace orepa
