// Small nets whose shapes ask for more than there is: refused with their place, or described,
// without taking the memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "orepa/net.h"
#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa {
namespace {

// Far below what the nets ask for. AddressSanitizer keeps an eighth of the memory that oneDNN
// reserves for itself, though nobody touches that.
#ifdef __SANITIZE_ADDRESS__
constexpr int64_t kMostBytes = int64_t{1500} << 20;
#else
constexpr int64_t kMostBytes = int64_t{200} << 20;
#endif

int64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

TEST(Hostile, NetsAreDescribedOrRefusedWithoutTheirMemory) {
  const auto device = make_cpu_device();
  int nets = 0;
  for (const auto& entry : std::filesystem::directory_iterator(source_file("tests/hostile"))) {
    if (entry.path().extension() != ".prototxt") continue;
    const std::string path = entry.path().string();
    const int64_t before = peak_resident_bytes();
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
    EXPECT_LT(peak_resident_bytes() - before, kMostBytes) << path;
    ++nets;
  }
  EXPECT_GE(nets, 6);
}

}  // namespace
}  // namespace orepa
