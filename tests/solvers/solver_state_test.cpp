#include "solvers/solver_state.h"

#include <gtest/gtest.h>

#include "orepa/tensor_file.h"
#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa {
namespace {

SolverState small_state() {
  SolverState state;
  state.set_iter(3);
  state.set_learned_net("run_iter_3.caffemodel");
  state.set_seed(uint64_t{1} << 63);
  state.set_device("a device");
  state.set_learned_net_checksum(0xFEDCBA98u);
  for (const int64_t extent : {2, 3}) {
    BlobProto* blob = state.add_history();
    blob->mutable_shape()->add_dim(extent);
    for (int i = 0; i < extent; ++i) blob->add_data(0.5f + static_cast<float>(i));
  }
  BufferState* buffer = state.add_buffer();
  buffer->set_name("a/mean");
  buffer->add_data(0.1f);
  state.set_averages_checksum(0x89ABCDEFu);
  BufferState* average = state.add_averaged_buffer();
  average->set_name("a/mean");
  average->add_data(0.2f);
  for (const double loss : {0.1, 0.3}) state.add_recent_loss(loss);
  state.mutable_best()->set_iteration(2);
  state.mutable_best()->set_output("accuracy");
  state.mutable_best()->set_value(0.7f);
  state.mutable_best()->set_judged_since(4);
  state.mutable_best()->set_last_judged(10);
  return state;
}

class SolverStateFile : public testing::TestWithParam<const char*> {
 protected:
  SolverStateFile() { write_file(path_, bytes_); }
  std::string refusal() const {
    return error_of([&] { read_solver_state(path_); });
  }

  const std::string path_ = test_folder() + GetParam();
  const std::string bytes_ = solver_state_bytes(path_, small_state());
};

TEST_P(SolverStateFile, HoldsEveryField) {
  SolverState state = read_solver_state(path_);
  state.clear_checksum();
  state.clear_current_step();  // HDF5 has no absent fields
  EXPECT_EQ(state.DebugString(), small_state().DebugString());
}

// Cut where only Caffe's fields are left, it must not pass for a state of Caffe's.
TEST_P(SolverStateFile, IsRefusedAtEveryShorterLength) {
  for (size_t length = bytes_.size(); length-- > 0;) {
    std::filesystem::resize_file(path_, length);
    ASSERT_NE(refusal(), "") << length << " of " << bytes_.size();
  }
}

// The file is changed in place: thousands of new ones would keep the disk busy.
TEST_P(SolverStateFile, IsRefusedWithAnyOtherBit) {
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  const auto put = [&](size_t at, char byte) {
    file.seekp(static_cast<std::streamoff>(at)).put(byte).flush();
  };
  for (size_t at = 0; at < bytes_.size(); ++at) {
    put(at, static_cast<char>(bytes_[at] ^ (1 << at % 8)));
    ASSERT_NE(refusal(), "") << "byte " << at << " of " << bytes_.size();
    put(at, bytes_[at]);
  }
  EXPECT_EQ(refusal(), "");
}

INSTANTIATE_TEST_SUITE_P(Formats, SolverStateFile,
                         testing::Values("run_iter_3.solverstate", "run_iter_3.solverstate.h5"),
                         [](const auto& info) {
                           return std::string(info.index == 0 ? "BINARYPROTO" : "HDF5");
                         });

// What stands where in the file that Caffe itself wrote.
TEST(SolverStateHdf5, HasCaffesLayout) {
  const std::string path = test_folder() + "run_iter_3.solverstate.h5";
  write_file(path, solver_state_bytes(path, small_state()));
  const TensorFileReader ours(path),
      caffes(source_file("tests/golden/caffe/solver/snap_sgd_hdf5/snap_iter_6.solverstate.h5"));
  for (const char* name : {"/iter", "/current_step"}) {
    EXPECT_EQ(ours.shape(name), caffes.shape(name)) << name;
    caffes.read_integer(name);
  }
  EXPECT_EQ(ours.shape("/learned_net"), caffes.shape("/learned_net"));
  EXPECT_EQ(caffes.read_text("/learned_net"), "snap_iter_6.caffemodel.h5");
  EXPECT_EQ(ours.names("/history"), (std::vector<std::string>{"/history/0", "/history/1"}));
  EXPECT_TRUE(caffes.has("/history/0"));
}

}  // namespace
}  // namespace orepa
