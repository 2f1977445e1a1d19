// Small files that ask for more than there is: refused with their place, or described, without
// taking the memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "io/weights/stored_blobs.h"
#include "orepa/error.h"
#include "orepa/net.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// Far below what the files ask for.
constexpr int64_t kMostBytes = int64_t{200} << 20;
// What was freed, AddressSanitizer holds for a while: so much of it.
#ifdef __SANITIZE_ADDRESS__
constexpr int64_t kQuarantine = int64_t{256} << 20;
#else
constexpr int64_t kQuarantine = 0;
#endif

// Of this process, since it was made.
class PeakMemory {
 public:
  PeakMemory() {
    std::ofstream("/proc/self/clear_refs") << "5";  // the peak is what is there now (man 5 proc)
    before_ = peak();
  }
  int64_t growth() const { return peak() - before_; }

 private:
  static int64_t peak() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
      if (int64_t kilobytes = 0; word == "VmHWM:" && status >> kilobytes) return kilobytes * 1024;
    fail("/proc/self/status has no VmHWM");
  }
  int64_t before_;
};

TEST(Hostile, NetsAreDescribedOrRefusedWithoutTheirMemory) {
  const auto device = test_device();
  int nets = 0;
  for (const auto& entry : std::filesystem::directory_iterator(source_file("tests/hostile"))) {
    if (entry.path().extension() != ".prototxt") continue;
    const std::string path = entry.path().string();
    const PeakMemory memory;
    for (const Phase phase : {Phase::kTest, Phase::kTrain}) {
      const std::string error = error_of([&] {
        Parameters parameters(*device, 1, phase == Phase::kTrain);
        Arena arena(*device);
        NetOptions options;
        options.phase = phase;
        options.allocate = false;
        const Net net(NetSpec::read(path), parameters, arena, options);
      });
      EXPECT_THAT(error, testing::AnyOf("", testing::StartsWith(path + ":")));
    }
    EXPECT_LT(memory.growth(), kMostBytes) << path;
    ++nets;
  }
  EXPECT_GE(nets, 7);
}

TEST(Hostile, WeightsOfAMillionEmptyLayersTakeNoMemory) {
  const std::string path = test_folder() + "w.caffemodel";
  const std::string today = {'\xa2', '\x06', '\0'}, v1 = {'\x12', '\0'},
                    v0 = {'\x12', '\2', '\n', '\0'};
  for (const std::string& layer : {today, v1, v0}) {
    std::string bytes;
    for (int i = 0; i < 1'000'000; ++i) bytes += layer;
    write_file(path, bytes);
    const PeakMemory memory;
    EXPECT_TRUE(read_caffemodel(path).empty());
    EXPECT_LT(memory.growth(), kMostBytes + kQuarantine);
  }
}

}  // namespace
}  // namespace orepa
