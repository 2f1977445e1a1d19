// Every row on every device that this build has; and that nothing registered goes without a row.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "orepa/branch.h"
#include "tests/files.h"
#include "tests/layers/check_layer.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

const char* const kTakeBFloat16[] = {
    "AbsVal",         "BatchNorm", "BatchNormPad",  "BNLL",    "Clip",      "Concat",
    "Convolution",    "Crop",      "Deconvolution", "Eltwise", "ELU",       "Exp",
    "Flatten",        "Interp",    "Log",           "LRN",     "ORepaConv", "Permute",
    "Pooling",        "Power",     "PReLU",         "ReLU",    "ReLU6",     "Reshape",
    "ShuffleChannel", "Sigmoid",   "Slice",         "Split",   "Swish",     "TanH",
    "Threshold",      "Tile",      "Upsample"};

class LayerTest : public testing::TestWithParam<LayerCase> {};

TEST_P(LayerTest, KeepsTheContract) {
  const auto device = test_device();
  check_layer(*device, GetParam());
}

TEST_P(LayerTest, KeepsTheContractInBFloat16) {
  const auto device = test_device();
  if (device->bfloat16() == Device::Support::kNone) GTEST_SKIP() << "not on this processor";
  const std::string first = GetParam().layers.substr(0, GetParam().layers.find('}'));
  const bool takes =
      std::any_of(std::begin(kTakeBFloat16), std::end(kTakeBFloat16), [&](const std::string& type) {
        return first.find("type: \"" + type + "\"") != std::string::npos;
      });
  EXPECT_EQ(check_layer_in_bfloat16(*device, GetParam()), takes);
}

INSTANTIATE_TEST_SUITE_P(Rows, LayerTest, testing::ValuesIn(layer_cases()),
                         [](const auto& info) { return info.param.name; });

bool has_row(const std::string& text) {
  const std::vector<LayerCase> rows = layer_cases();
  return std::any_of(rows.begin(), rows.end(), [&](const LayerCase& row) {
    return row.layers.find("type: \"" + text + "\"") != std::string::npos;
  });
}

// Input computes nothing, and sources and files have tests of their own.
TEST(Layers, EveryTypeHasARow) {
  const std::set<std::string> others{"Input",      "Data",       "ImageData", "HDF5Data",
                                     "MemoryData", "HDF5Output", "WindowData"};
  for (const LayerType& type : layer_types())
    EXPECT_NE(others.contains(type.name), has_row(type.name)) << type.name;
}

TEST(Layers, EveryBranchTypeHasARow) {
  for (const BranchType& type : branch_types()) EXPECT_TRUE(has_row(type.name)) << type.name;
}

// One source for all devices: layers see no messages of the file formats and no vendor's library.
TEST(Layers, IncludeNeitherFormatsNorVendors) {
  int files = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(source_file("src/layers"))) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path());
    std::string line;
    while (std::getline(file, line)) {
      if (line.rfind("#include", 0) != 0) continue;
      for (const char* banned : {".pb.h", "google/", "dnnl", "cuda", "cudnn", "cublas", "hdf5"})
        EXPECT_EQ(line.find(banned), std::string::npos) << entry.path() << ": " << line;
    }
    ++files;
  }
  EXPECT_GT(files, 20);
}

}  // namespace
}  // namespace orepa
