#include "data/batch_loader.h"

#include <gtest/gtest.h>

#include <cstring>

#include "orepa/error.h"
#include "orepa/model_io.h"
#include "tests/error_of.h"

namespace orepa {
namespace {

// Images of 2 channels, H x W, whose pixel (c, y, x) of sample n is 40 n + 20 c + 4 y + x; those
// named are broken.
class Numbered : public DataSource {
 public:
  Numbered(int64_t size, int64_t height, int64_t width, std::set<int64_t> broken = {})
      : size_(size), height_(height), width_(width), broken_(std::move(broken)) {}
  int64_t size() const override { return size_; }
  void read(int64_t index, Record& record) const override {
    require(!broken_.contains(index), name(index), ": is broken");
    record.kind = Record::Kind::kPixels;
    record.channels = 2, record.height = height_, record.width = width_;
    record.label = index;
    record.buffer.clear();
    for (int64_t c = 0; c < 2; ++c)
      for (int64_t y = 0; y < height_; ++y)
        for (int64_t x = 0; x < width_; ++x)
          record.buffer.push_back(static_cast<unsigned char>(40 * index + 20 * c + 4 * y + x));
    record.content = record.buffer;
  }
  std::string name(int64_t index) const override { return text("number ", index); }
  void break_all() {
    for (int64_t index = 0; index < size_; ++index) broken_.insert(index);
  }

 private:
  int64_t size_, height_, width_;
  std::set<int64_t> broken_;
};

struct Data {
  int64_t samples = 5, batch_size = 3;
  std::string transform = "";
  bool augment = false, shuffle = false;
  int64_t height = 3, width = 4, first_sample = 0;
  std::set<int64_t> broken = {};
  double max_broken = 0.5;

  BatchLoader loader() const {
    const NetSpec net = NetSpec::parse(
        "layer { name: 'd' type: 'Data' transform_param { " + transform + " } }", "test");
    return {std::make_shared<Numbered>(samples, height, width, broken),
            std::make_shared<Augment>(net.layers()[0].message("transform_param"), augment, 5),
            {samples, batch_size, batch_size, 0, first_sample, shuffle, 5},
            true,
            1,
            max_broken};
  }
};

// A batch as the device gets it.
struct Batch {
  std::vector<unsigned char> images;
  std::vector<Frame> frames;
  std::vector<float> labels;
};

Batch fill(BatchLoader& loader, int64_t index) {
  const BatchLayout layout = loader.layout();
  std::vector<char> memory(static_cast<size_t>(layout.bytes()));
  for (int64_t row = layout.rows - 1; row >= 0; --row) loader.fill(0, index, row, memory.data());
  Batch batch;
  batch.images.resize(static_cast<size_t>(layout.rows * layout.image_bytes));
  batch.frames.resize(static_cast<size_t>(layout.rows));
  batch.labels.resize(static_cast<size_t>(layout.rows));
  std::memcpy(batch.images.data(), memory.data(), batch.images.size());
  std::memcpy(batch.frames.data(), memory.data() + layout.frames(), layout.rows * sizeof(Frame));
  std::memcpy(batch.labels.data(), memory.data() + layout.labels(), layout.rows * sizeof(float));
  return batch;
}

TEST(BatchLoader, WalksOverTheDataAgainAndAgain) {
  BatchLoader data = Data{}.loader();
  EXPECT_EQ(data.format().extent, (Extent{3, 4}));
  EXPECT_EQ(data.format().channels, 2);
  EXPECT_EQ(fill(data, 0).labels, (std::vector<float>{0, 1, 2}));
  EXPECT_EQ(fill(data, 1).labels, (std::vector<float>{3, 4, 0}));
  EXPECT_EQ(fill(data, 1).images[24 + 2], 161);  // channels innermost: y 0, x 1, c 0 of sample 4
  BatchLoader rest = Data{.batch_size = 2, .first_sample = 3}.loader();
  EXPECT_EQ(fill(rest, 0).labels, (std::vector<float>{3, 4}));
}

TEST(BatchLoader, ShufflesEpochByEpoch) {
  BatchLoader sevens = Data{.samples = 10, .batch_size = 7, .shuffle = true}.loader();
  std::vector<float> walk;
  for (int64_t i = 0; i < 20; ++i)
    for (const float label : fill(sevens, i).labels) walk.push_back(label);
  std::set<std::vector<float>> orders;
  for (size_t epoch = 0; epoch < 14; ++epoch) {
    std::vector<float> order(walk.begin() + 10 * epoch, walk.begin() + 10 * (epoch + 1));
    orders.insert(order);
    EXPECT_EQ(std::set<float>(order.begin(), order.end()).size(), 10u) << epoch;
  }
  EXPECT_EQ(orders.size(), 14u);
  // Whatever the size of the batches.
  BatchLoader twos = Data{.samples = 10, .batch_size = 2, .shuffle = true}.loader();
  for (int64_t i = 0; i < 70; ++i)
    EXPECT_EQ(fill(twos, i).labels, (std::vector<float>{walk[2 * i], walk[2 * i + 1]})) << i;
}

TEST(BatchLoader, SaysWhichPartIsPadding) {
  BatchLoader data = Data{.samples = 1, .batch_size = 1, .transform = "pad: 1"}.loader();
  EXPECT_EQ(data.format().extent, (Extent{5, 6}));
  const Batch batch = fill(data, 0);
  const Frame::Part& part = batch.frames[0].image;
  EXPECT_EQ(part.top, 1);
  EXPECT_EQ(part.bottom, 4);
  EXPECT_EQ(part.left, 1);
  EXPECT_EQ(part.right, 5);
  EXPECT_EQ(batch.images[(6 + 1) * 2 + 1], 20);  // y 0, x 0, c 1
}

// Every place and both sides are seen, and what is seen is what the frame says.
TEST(BatchLoader, AugmentsInEveryWay) {
  BatchLoader data = Data{.samples = 4,
                          .batch_size = 1,
                          .transform = "pad: 1 crop_size: 3 mirror: true",
                          .augment = true,
                          .shuffle = true,
                          .height = 3,
                          .width = 3}
                         .loader();
  std::set<std::vector<int>> seen;
  for (int64_t i = 0; i < 300; ++i) {
    const Batch batch = fill(data, i);
    const Frame& frame = batch.frames[0];
    seen.insert({frame.top, frame.left, frame.flip});
    for (int64_t y = frame.image.top; y < frame.image.bottom; ++y)
      for (int64_t x = frame.image.left; x < frame.image.right; ++x) {
        const int64_t column = frame.left + (frame.flip != 0 ? 2 - x : x);
        EXPECT_EQ(batch.images[(y * 3 + x) * 2],
                  40 * static_cast<int>(batch.labels[0]) + 4 * (frame.top + y) + column);
      }
  }
  EXPECT_EQ(seen.size(), 18u);
}

TEST(BatchLoader, ReplacesBrokenSamplesUpToABound) {
  Data set{.samples = 10, .batch_size = 10, .broken = {0, 3, 4}, .max_broken = 0.3};
  BatchLoader data = set.loader();
  EXPECT_EQ(fill(data, 0).labels, (std::vector<float>{1, 1, 2, 5, 5, 5, 6, 7, 8, 9}));
  EXPECT_EQ(data.take_notes().size(), 3u);
  fill(data, 0);
  EXPECT_TRUE(data.take_notes().empty());  // they are known

  set.max_broken = 0.2;
  BatchLoader fewer = set.loader();
  const std::string message = error_of([&] { fill(fewer, 0); });
  EXPECT_NE(message.find("number 0: is broken (broken sample number 3); of 10 samples, 2 may be "),
            std::string::npos)
      << message;
}

// However many may be broken: a set that vanishes amidst a run ends it.
TEST(BatchLoader, EndsWhereNoSampleIsLeft) {
  auto source = std::make_shared<Numbered>(5, 3, 4);
  const NetSpec net = NetSpec::parse("layer { name: 'd' type: 'Data' }", "test");
  BatchLoader data(source,
                   std::make_shared<Augment>(net.layers()[0].message("transform_param"), false, 5),
                   {5, 5, 5, 0, 0, false, 5}, true, 1, 1.0);
  source->break_all();
  EXPECT_EQ(error_of([&] { fill(data, 0); }), "number 4: is broken, and so are all others");
}

TEST(BatchLoader, NamesTheSampleThatDoesNotFit) {
  EXPECT_EQ(error_of([] { Data{.transform = "crop_size: 4"}.loader(); }),
            "number 0: is smaller by 1 pixels than its crop; resize it before, or give a smaller "
            "crop_size");
}

}  // namespace
}  // namespace orepa
