// Every door through which files come in: what is no regular file is refused by its name, before it
// is opened. A pipe would never answer, a device never end.
#include "core/input_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>

#include "orepa.pb.h"
#include "orepa/data_source.h"
#include "orepa/tensor_file.h"
#include "orepa/weights.h"
#include "solvers/snapshot.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

TEST(InputFile, IsRegular) {
  const auto device = test_device();
  Parameters parameters(*device, 1, false);
  const std::string folder = test_folder();
  const std::pair<std::string, std::function<void(const std::string&)>> doors[] = {
      {".prototxt", [](const std::string& path) { NetSpec::read(path); }},
      {".prototxt", [](const std::string& path) { SolverSpec::read(path); }},
      {".caffemodel", [&](const std::string& path) { load_weights({path}, parameters); }},
      {".h5", [](const std::string& path) { TensorFileReader{path}; }},
      {".solverstate", [](const std::string& path) { read_snapshot_state(path); }},
      {"-ubyte", [](const std::string& path) { open_idx(path, ""); }},
  };
  for (const auto& [ending, read] : doors) {
    const std::string pipe = folder + "pipe" + ending, zero = folder + "zero" + ending;
    const std::string inside = folder + "folder" + ending, absent = folder + "absent" + ending;
    ::mkfifo(pipe.c_str(), 0600);
    std::error_code exists;
    std::filesystem::create_symlink("/dev/zero", zero, exists);
    std::filesystem::create_directories(inside);
    EXPECT_THAT(error_of([&] { read(pipe); }),
                testing::StartsWith(pipe + ": is a pipe, not a file"));
    EXPECT_THAT(error_of([&] { read(zero); }),
                testing::StartsWith(zero + ": is a device, not a file"));
    EXPECT_THAT(error_of([&] { read(inside); }),
                testing::StartsWith(inside + ": is a folder, not a file"));
    EXPECT_EQ(error_of([&] { read(absent); }),
              absent + ": cannot be read: No such file or directory");
  }
}

// A state names the file of its weights.
TEST(InputFile, OfAStatesWeightsIsRegular) {
  const auto device = test_device();
  Parameters parameters(*device, 1, true);
  History history(parameters, 1);
  SolverState state;
  state.set_iter(1);
  state.set_learned_net("/dev/zero");
  state.set_learned_net_checksum(1);
  const std::string path = test_folder() + "run_iter_1.solverstate";
  write_file(path, state.SerializeAsString());
  EXPECT_THAT(error_of([&] { restore_snapshot(path, parameters, history); }),
              testing::HasSubstr("/dev/zero: is a device"));
}

}  // namespace
}  // namespace orepa
