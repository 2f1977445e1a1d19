// What orepa_tool says where it is asked for a GPU that is not there. No machine has a hundred.
#include <gmock/gmock.h>

#include <algorithm>

#include "tests/tools/tool_fixture.h"

namespace orepa {
namespace {

class DeviceToolTest : public ToolTest {
 protected:
  void SetUp() override { make_task(1); }

  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      if (entry.path().filename() != "output") names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  // The one line with which it fails, having written nothing.
  std::string refusal(const std::vector<std::string>& words) {
    const std::vector<std::string> before = files();
    EXPECT_EQ(run(words), kFailed) << output_;
    EXPECT_EQ(std::count(output_.begin(), output_.end(), '\n'), 1) << output_;
    EXPECT_EQ(files(), before);
    return output_;
  }
};

using testing::HasSubstr, testing::Not;

TEST_F(DeviceToolTest, AGpuThatIsNotThereIsRefusedWithTheRemedy) {
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{"--device", "cuda:99"}, {"--gpu", "99"}}) {
    std::vector<std::string> train = {"train", "--solver", solver_};
    std::vector<std::string> time = {"time", "--model", net_};
    train.insert(train.end(), flags.begin(), flags.end());
    time.insert(time.end(), flags.begin(), flags.end());
    for (const auto& words : {train, time}) {
      const std::string line = refusal(words);
      EXPECT_THAT(line, HasSubstr("cuda:99"));
      EXPECT_THAT(line, HasSubstr("use --device cpu"));
    }
  }
  EXPECT_THAT(refusal({"time", "--model", net_, "--device", "gpu"}),
              HasSubstr("unknown device \"gpu\"; there are cpu and cuda:0, cuda:1, ..."));
}

TEST_F(DeviceToolTest, TheSolverChoosesUnlessAFlagDoes) {
  const std::string gpu =
      file("gpu.prototxt", read_file(solver_) + " solver_mode: GPU device_id: 99");
  const std::string line = refusal({"train", "--solver", gpu});
  EXPECT_THAT(line, HasSubstr(gpu + ":1:"));
  EXPECT_THAT(line, HasSubstr(": solver_mode: GPU: "));
  EXPECT_THAT(line, HasSubstr("cuda:99"));
  EXPECT_THAT(line, HasSubstr("use --device cpu"));
  // A flag is not the solver's fault.
  EXPECT_THAT(refusal({"train", "--solver", gpu, "--gpu", "99"}), Not(HasSubstr("solver_mode")));
  ASSERT_EQ(run({"train", "--solver", gpu, "--device", "cpu"}), kDone) << output_;
  EXPECT_SAYS("device      cpu ");
  // Caffe would take a GPU.
  ASSERT_EQ(run({"train", "--solver", solver_, "--overwrite"}), kDone) << output_;
  EXPECT_SAYS("device      cpu ");
}

TEST_F(DeviceToolTest, SeveralGpusAreOneProcessEach) {
  EXPECT_THAT(refusal({"train", "--solver", solver_, "--gpu", "0,1,2"}),
              HasSubstr("`mpirun -np 3 orepa_tool train ... --gpu 0,1,2`"));
  EXPECT_THAT(refusal({"train", "--solver", solver_, "--gpu", "all"}),
              HasSubstr("`mpirun -np N orepa_tool train ... --gpu all`"));
  for (const char* gpu : {"first", "-1", ","}) {
    EXPECT_EQ(run({"train", "--solver", solver_, "--gpu", gpu}), kUsage);
    EXPECT_SAYS("it can be the number of a GPU, several with commas between, or all");
  }
  EXPECT_EQ(run({"train", "--solver", solver_, "--gpu", "0", "--device", "cpu"}), kUsage);
  EXPECT_SAYS("--gpu and --device say the same");
}

TEST_F(DeviceToolTest, DeviceQuerySaysWhatThereIs) {
  ASSERT_EQ(run({"device_query"}), kDone) << output_;
  EXPECT_SAYS("processor   cpu ");
  EXPECT_SAYS("CUDA        built with");
  EXPECT_THAT(output_, testing::AnyOf(HasSubstr("  devices   none\n"), HasSubstr("  cuda:0    ")));
}

}  // namespace
}  // namespace orepa
