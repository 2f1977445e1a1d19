// What the commands say of samples that cannot be decoded.
#include "orepa/tensor_file.h"
#include "tests/data/image_files.h"
#include "tests/tools/tool_fixture.h"

namespace orepa {
namespace {

class BrokenSamplesTest : public ToolTest {
 protected:
  // 12 images in two classes, of which `b/3.jpg` is cut short, and a net on them.
  void SetUp() override {
    const std::string jpeg = jpeg_file(picture({12, 12}));
    for (const char* name : {"a", "b"}) {
      std::filesystem::create_directories(folder_ + "images/" + name);
      for (int i = 0; i < 6; ++i)
        write_file(folder_ + "images/" + name + "/" + std::to_string(i) + ".jpg", jpeg);
    }
    write_file(folder_ + "images/b/3.jpg", jpeg.substr(0, jpeg.size() / 2));
    net_ = file("folder.prototxt", R"(
layer { name: "data" type: "Data" top: "data" top: "label" transform_param { crop_size: 8 }
  data_param { backend: FOLDER batch_size: 5 max_broken: 0.1 source: ")" +
                                       folder_ + R"(images" } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
)");
  }
  int times(const std::string& words) const {
    int count = 0;
    for (size_t at = 0; (at = output_.find(words, at)) != std::string::npos; ++at) ++count;
    return count;
  }
  const std::string replaced_ = "the next sample takes its place";
};

TEST_F(BrokenSamplesTest, AreNamedInATraining) {
  solver_ = file("solver.prototxt", "net: \"" + net_ +
                                        "\" base_lr: 0 lr_policy: \"fixed\" max_iter: 6 "
                                        "snapshot_prefix: \"" +
                                        folder_ + "snap\"");
  ASSERT_EQ(run({"train", "--solver", solver_}), kDone) << output_;
  EXPECT_SAYS("images/b/3.jpg: ");
  EXPECT_EQ(times(replaced_), 1) << output_;
  EXPECT_NE(read_file(folder_ + "snap.run/log.txt").find(replaced_), std::string::npos);

  // By the training and by its test, which have sources of their own.
  ASSERT_EQ(run({"train", "--solver", solver_, "--overwrite", "--set", "test_interval=6", "--set",
                 "test_initialization=false"}),
            kDone)
      << output_;
  EXPECT_EQ(times(replaced_), 2) << output_;
}

TEST_F(BrokenSamplesTest, AreNamedByTestAndRun) {
  solver_ = file("solver.prototxt", "net: \"" + net_ +
                                        "\" base_lr: 0 lr_policy: \"fixed\" max_iter: 1 "
                                        "snapshot_prefix: \"" +
                                        folder_ + "snap\"");
  ASSERT_EQ(run({"train", "--solver", solver_}), kDone) << output_;
  const std::string weights = folder_ + "snap_iter_1.caffemodel";
  ASSERT_EQ(run({"test", "--model", net_, "--weights", weights}), kDone) << output_;
  EXPECT_SAYS("orepa_tool: note: " + folder_ + "images/b/3.jpg: ");
  EXPECT_EQ(times(replaced_), 1) << output_;
  std::string one_batch = read_file(net_);
  one_batch.replace(one_batch.find("batch_size: 5"), 13, "batch_size: 12");
  file("one.prototxt", one_batch);
  write_file(folder_ + "in.h5", TensorFileWriter().bytes());
  ASSERT_EQ(run({"run", "--model", folder_ + "one.prototxt", "--weights", weights, "--input",
                 folder_ + "in.h5", "--output", folder_ + "out.h5"}),
            kDone)
      << output_;
  EXPECT_EQ(times(replaced_), 1) << output_;
}

}  // namespace
}  // namespace orepa
