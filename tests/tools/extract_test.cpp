// orepa_tool extract: blobs of all samples, as HDF5 or LMDB.
#include <cstring>

#include "orepa/data_source.h"
#include "orepa/tensor_file.h"
#include "tests/tools/tool_fixture.h"

namespace orepa {
namespace {

class ExtractTest : public ToolTest {
 protected:
  void SetUp() override {
    make_task(2);
    ASSERT_EQ(run({"train", "--solver", solver_}), kDone) << output_;
  }
  int extract(const std::string& blobs, const std::string& output) {
    return run({"extract", "--model", net_, "--weights", folder_ + "snap_iter_2.caffemodel",
                "--blobs", blobs, "--output", output});
  }
};

TEST_F(ExtractTest, WritesEverySampleOnceAsHdf5) {
  const std::string path = folder_ + "out.h5";
  ASSERT_EQ(extract("data,ip,pool", path), kDone) << output_;
  EXPECT_SAYS("70 samples");  // four batches of 16 and the rest
  const TensorFileReader file(path);
  EXPECT_EQ(file.names(), (std::vector<std::string>{"/data", "/ip", "/label", "/pool"}));
  EXPECT_EQ(file.shape("data"), Shape({70, 1, 8, 8}));
  EXPECT_EQ(file.shape("pool"), Shape({70, 16, 4, 4}));
  EXPECT_EQ(file.shape("ip"), Shape({70, 2}));
  const std::vector<float> images = file.read("data"), labels = file.read("label");
  for (int n = 0; n < 70; ++n) {
    EXPECT_EQ(labels[n], n % 2);
    const int level = (n % 2 == 0 ? 20 : 200) + n * 7 % 40;
    EXPECT_FLOAT_EQ(images[n * 64], (static_cast<float>(level) - 110) * 0.01f) << n;
  }
  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
}

TEST_F(ExtractTest, WritesADatabaseABlob) {
  const std::string folder = folder_ + "features";
  ASSERT_EQ(extract("ip,pool", folder), kDone) << output_;
  ASSERT_EQ(extract("ip,pool", folder_ + "out.h5"), kDone) << output_;
  const TensorFileReader file(folder_ + "out.h5");
  const std::map<std::string, Shape> images{{"ip", {2, 1, 1}}, {"pool", {16, 4, 4}}};
  for (const auto& [blob, image] : images) {
    const auto source = open_data_source({.source = folder + "/" + blob, .backend = "LMDB"}, true);
    ASSERT_EQ(source->size(), 70);
    const std::vector<float> wanted = file.read(blob);
    Record record;
    for (int64_t n = 0; n < 70; ++n) {
      source->read(n, record);
      EXPECT_EQ(record.label, n % 2);
      ASSERT_EQ(record.kind, Record::Kind::kNumbers);
      EXPECT_EQ(Shape({record.channels, record.height, record.width}), image);
      std::vector<float> row(static_cast<size_t>(image.count()));
      ASSERT_EQ(record.content.size(), row.size() * 4);
      std::memcpy(row.data(), record.content.data(), record.content.size());
      EXPECT_TRUE(std::equal(row.begin(), row.end(), wanted.begin() + n * image.count())) << n;
    }
  }
  EXPECT_EQ(extract("ip", folder), kFailed);
  EXPECT_SAYS("is there already");
}

TEST_F(ExtractTest, ADatabaseThatCannotBeMadeLeavesNoFolder) {
  std::string net = read_file(net_);
  for (const auto& [from, to] :
       {std::pair<std::string, std::string>("\"data\"", "\"a/b\""), {"\"pool\"", "\"a_b\""}})
    for (size_t at = 0; (at = net.find(from, at)) != std::string::npos;)
      net.replace(at, from.size(), to);
  net_ = file("renamed.prototxt", net);
  EXPECT_EQ(extract("a/b,a_b", folder_ + "features"), kFailed);
  EXPECT_SAYS("features/a_b: would be the folder of two blobs");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "features"));
}

TEST_F(ExtractTest, SaysWhatIsWrongAndLeavesNothing) {
  const std::string path = folder_ + "out.h5";
  EXPECT_EQ(extract("accuracy", path), kFailed);
  EXPECT_SAYS("no row for each of 16 samples");
  EXPECT_EQ(extract("pol", path), kFailed);
  EXPECT_SAYS("pol");
  EXPECT_EQ(extract("ip", folder_ + "nowhere/out.h5"), kFailed);
  EXPECT_SAYS("nowhere");
  EXPECT_EQ(extract("ip", net_), kFailed);
  EXPECT_SAYS("net.prototxt");
  for (const auto& entry : std::filesystem::directory_iterator(folder_))
    EXPECT_FALSE(entry.path().string().find("out.h5") != std::string::npos) << entry.path();
}

}  // namespace
}  // namespace orepa
