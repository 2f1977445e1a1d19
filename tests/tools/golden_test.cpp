// What BVLC Caffe itself computed (tests/golden/caffe), computed by the tool: `run` for nets,
// `train` for solvers, from files to files.
#include <map>

#include "tests/golden_caffe.h"
#include "tests/tools/tool_fixture.h"

namespace orepa {
namespace {

class GoldenTool : public ToolTest {
 protected:
  // `run` on a case, with the gradients of its outputs under the names that the tool reads.
  void run_case(const TensorFileReader& golden, const std::string& net, bool training) {
    TensorFileWriter in;
    for (const auto& [group, name] :
         std::map<std::string, std::string>{{"/in", "/in"}, {"/grad_top", "/grad"}})
      for (const std::string& array : golden.names(group))
        in.write(name + array.substr(group.size()), golden.shape(array), golden.read(array));
    in.save(folder_ + "in.h5");
    std::vector<std::string> words = {"run",     "--model",         net,
                                      "--input", folder_ + "in.h5", "--output",
                                      out_,      "--phase",         training ? "TRAIN" : "TEST"};
    if (golden.has("/data")) words.insert(words.end(), {"--weights", golden.path()});
    if (training) words.push_back("--backward");
    ASSERT_EQ(run(words), kDone) << output_;
  }
  // All arrays of a group of the tool's file.
  void expect_group(const TensorFileReader& golden, const std::string& theirs,
                    const std::string& ours) const {
    const TensorFileReader out(out_);
    for (const std::string& array : golden.names(theirs))
      expect_golden(out.read(ours + array.substr(theirs.size())), golden, array);
  }
  // Caffe counts a layer's blobs; the tool gives them names, and their number as an attribute. One
  // that layers share stands in the first of them.
  void expect_gradients(const TensorFileReader& golden) const {
    const TensorFileReader out(out_);
    std::vector<std::string> arrays = out.names("/grad_param");
    EXPECT_LE(arrays.size(), golden.names("/grad_param").size());
    EXPECT_EQ(arrays.empty(), golden.names("/grad_param").empty());
    for (const std::string& array : arrays)
      expect_golden(out.read(array), golden,
                    text(array.substr(0, array.rfind('/') + 1), out.number(array, "index")));
  }

  // The case's net, with its batches as the samples of an HDF5Data layer in place of the two Input
  // layers that it begins with.
  void write_net(const TensorFileReader& golden, const std::string& folder) {
    TensorFileWriter samples;
    std::string tops;
    int64_t batch = 0;
    for (const std::string& array : golden.names("/in")) {
      const std::string input = array.substr(4);
      const Shape stack = golden.shape(array);
      std::vector<int64_t> extents(stack.extents().begin() + 1, stack.extents().end());
      batch = extents[0];
      extents[0] *= stack[0];
      samples.write("/" + input, Shape(extents), golden.read(array));
      tops += "top: \"" + input + "\" ";
    }
    samples.save(folder_ + "samples.h5");
    file("samples.txt", folder_ + "samples.h5\n");
    const std::string net = read_file(folder + "net.prototxt"), input = "input_param";
    const size_t second = net.find(input, net.find(input) + 1);
    file("net.prototxt", text("layer { name: \"data\" type: \"HDF5Data\" ", tops,
                              "hdf5_data_param { batch_size: ", batch, " source: \"", folder_,
                              "samples.txt\" } }\n", net.substr(net.find("layer {", second))));
  }
  // To the weights and the history that the case ends with.
  void train(const std::vector<std::string>& start, const TensorFileReader& golden,
             const std::string& name) {
    const std::string prefix = folder_ + name + "/snap";
    std::vector<std::string> words = {"train", "--solver", folder_ + "solver.prototxt", "--run",
                                      folder_ + name};
    for (const std::string& field : {"net=" + folder_ + "net.prototxt", "snapshot_prefix=" + prefix,
                                     std::string("snapshot_format=HDF5")})
      words.insert(words.end(), {"--set", field});
    words.insert(words.end(), start.begin(), start.end());
    ASSERT_EQ(run(words), kDone) << output_;
    const TensorFileReader weights(prefix + "_iter_12.caffemodel.h5"),
        state(prefix + "_iter_12.solverstate.h5");
    const double tie = name == "solver/sgd_momentum_l2" ? kGoldenTieNoise : 0;
    const std::vector<std::string> histories = golden.names("/history"),
                                   blobs = weights.names("/data");
    for (const std::string& blob : blobs)
      expect_golden(weights.read(blob), golden, "/final" + blob.substr(5), kGoldenTolerance, tie);
    EXPECT_EQ(state.names("/history").size(), histories.size());
    // One for each that is no other layer's, or two.
    EXPECT_EQ(histories.size() % blobs.size(), 0u);
    for (const std::string& array : histories)
      expect_golden(state.read(array), golden, array, kGoldenTolerance, tie);
  }

  const std::string out_ = folder_ + "out.h5";
};

TEST_F(GoldenTool, RunsEveryNet) {
  std::vector<std::string> cases = golden_cases("layer"), nets = golden_cases("net");
  cases.insert(cases.end(), nets.begin(), nets.end());
  EXPECT_GE(cases.size(), 75u);
  for (const std::string& name : cases) {
    SCOPED_TRACE(name);
    const TensorFileReader golden(kGoldenCaffe + name + "/data.h5");
    const std::string net = file("net.prototxt", golden_net(name));
    run_case(golden, net, false);
    expect_group(golden, "/out", "/out");
    if (!golden.has("/out_train")) continue;
    run_case(golden, net, true);
    expect_group(golden, "/out_train", "/out");
    expect_group(golden, "/grad_in", "/grad_in");
    expect_gradients(golden);
  }
}

TEST_F(GoldenTool, TrainsWithEverySolver) {
  for (const std::string& name : golden_cases("solver")) {
    SCOPED_TRACE(name);
    const std::string folder = kGoldenCaffe + name + "/";
    const TensorFileReader golden(folder + "data.h5");
    write_net(golden, folder);
    file("solver.prototxt", read_file(folder + "solver.prototxt"));
    train({"--weights", golden.path()}, golden, name);
    const std::string state = folder + "snap_iter_6.solverstate.h5";
    if (std::filesystem::exists(state)) train({"--snapshot", state}, golden, name + "_again");
  }
}

}  // namespace
}  // namespace orepa
