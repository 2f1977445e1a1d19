#include "data/batch_loader.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "orepa/error.h"
#include "orepa/model_io.h"

namespace orepa {
namespace {

// Images of 2 channels, H x W, whose pixel (c, y, x) of sample n is 1000 n + 100 c + 10 y + x.
class Numbered : public DataSource {
 public:
  Numbered(int64_t size, int64_t height, int64_t width)
      : size_(size), height_(height), width_(width) {}
  int64_t size() const override { return size_; }
  Shape sample_shape() const override { return {2, height_, width_}; }
  void read(int64_t index, Sample& sample) const override {
    sample = {2, height_, width_, {}, static_cast<float>(index)};
    for (int64_t y = 0; y < height_; ++y)
      for (int64_t x = 0; x < width_; ++x)
        for (int64_t c = 0; c < 2; ++c)
          sample.pixels.push_back(static_cast<float>(1000 * index + 100 * c + 10 * y + x));
  }

 private:
  int64_t size_, height_, width_;
};

BatchLoader loader(int64_t samples, int64_t batch_size, const std::string& transform, bool augment,
                   bool shuffle, int64_t height = 3, int64_t width = 4, int64_t first_sample = 0) {
  const NetSpec net = NetSpec::parse(
      "layer { name: 'd' type: 'Data' transform_param { " + transform + " } }", "test");
  auto source = std::make_unique<Numbered>(samples, height, width);
  Transform made(net.layers()[0].message("transform_param"), source->sample_shape(), augment);
  return BatchLoader(std::move(source), std::move(made), batch_size, first_sample, shuffle, 5);
}

struct Batch {
  std::vector<float> images, labels;
};

Batch fill(const BatchLoader& loader, int64_t index) {
  const Shape shape = loader.batch_shape();
  Batch batch{std::vector<float>(static_cast<size_t>(shape.count())),
              std::vector<float>(static_cast<size_t>(shape[0]))};
  loader.fill(index, batch.images.data(), batch.labels.data());
  return batch;
}

TEST(BatchLoader, WalksOverTheDataAgainAndAgain) {
  const BatchLoader data = loader(5, 3, "", false, false);
  EXPECT_EQ(data.batch_shape(), (Shape{3, 2, 3, 4}));
  EXPECT_EQ(data.samples(), 5);
  EXPECT_EQ(fill(data, 0).labels, (std::vector<float>{0, 1, 2}));
  EXPECT_EQ(fill(data, 1).labels, (std::vector<float>{3, 4, 0}));
  EXPECT_EQ(fill(data, 1).images[24 + 2], 4001);  // channels innermost: y 0, x 1, c 0 of sample 4
  const BatchLoader rest = loader(5, 2, "", false, false, 3, 4, 3);
  EXPECT_EQ(fill(rest, 0).labels, (std::vector<float>{3, 4}));
}

// Every epoch holds every sample once, in another order, whatever the batch size.
TEST(BatchLoader, ShufflesEpochByEpoch) {
  std::vector<float> walk;
  const BatchLoader sevens = loader(10, 7, "", false, true);
  for (int64_t b = 0; b < 10; ++b)
    for (const float label : fill(sevens, b).labels) walk.push_back(label);
  std::vector<std::vector<float>> epochs;
  for (int e = 0; e < 7; ++e)
    epochs.emplace_back(walk.begin() + 10 * e, walk.begin() + 10 * (e + 1));
  for (size_t e = 0; e < 7; ++e) {
    for (size_t f = 0; f < e; ++f) EXPECT_NE(epochs[e], epochs[f]);
    std::vector<float> sorted = epochs[e];
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(sorted, (std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  }
  const BatchLoader twos = loader(10, 2, "", false, true);
  for (int64_t b = 0; b < 35; ++b)
    EXPECT_EQ(fill(twos, b).labels,
              std::vector<float>(walk.begin() + 2 * b, walk.begin() + 2 * (b + 1)));
}

TEST(BatchLoader, SubtractsScalesAndCropsTheCentre) {
  const BatchLoader data = loader(
      1, 1, "scale: 0.5 mean_value: 10 mean_value: 100 crop_size: 2 mirror: true", false, false);
  EXPECT_EQ(data.batch_shape(), (Shape{1, 2, 2, 2}));
  // Rows 0 and 1, columns 1 and 2 of 3 x 4.
  EXPECT_EQ(fill(data, 0).images, (std::vector<float>{-4.5f, 0.5f, -4, 1, 0.5f, 5.5f, 1, 6}));
}

TEST(BatchLoader, PadsWithTheMean) {
  const BatchLoader data = loader(1, 1, "mean_value: 7 pad: 1", false, false, 1, 1);
  EXPECT_EQ(data.batch_shape(), (Shape{1, 2, 3, 3}));
  std::vector<float> expected(18, 0.0f);
  expected[8] = -7;
  expected[9] = 93;
  EXPECT_EQ(fill(data, 0).images, expected);
}

// A random crop is a window of the padded image, mirrored or not; all of them turn up.
TEST(BatchLoader, AugmentsInEveryWay) {
  const BatchLoader data = loader(4, 1, "pad: 1 crop_size: 3 mirror: true", true, true, 3, 3);
  std::vector<int> seen(18, 0);
  for (int64_t b = 0; b < 400; ++b) {
    const Batch batch = fill(data, b);
    int matches = 0;
    for (int way = 0; way < 18; ++way) {
      const int top = way / 6 - 1, left = way / 2 % 3 - 1;
      const bool flip = way % 2;
      bool same = true;
      for (int y = 0; y < 3; ++y)
        for (int x = 0; x < 3; ++x) {
          const int row = top + y, column = left + (flip ? 2 - x : x);
          const bool inside = row >= 0 && row < 3 && column >= 0 && column < 3;
          for (int c = 0; c < 2; ++c) {
            const float pixel = 1000 * batch.labels[0] + 100.0f * c + 10.0f * row + column;
            same = same && batch.images[static_cast<size_t>((y * 3 + x) * 2 + c)] ==
                               (inside ? pixel : 0.0f);
          }
        }
      matches += same;
      seen[static_cast<size_t>(way)] += same;
    }
    EXPECT_EQ(matches, 1);
    EXPECT_EQ(batch.images, fill(data, b).images);
  }
  for (const int count : seen) EXPECT_GT(count, 0);
}

TEST(BatchLoader, RefusesWhatDoesNotFit) {
  EXPECT_THROW(loader(1, 1, "crop_size: 4", false, false), Error);
  EXPECT_THROW(loader(1, 1, "mean_value: [1, 2, 3]", false, false), Error);
  EXPECT_THROW(loader(1, 1, "mean_file: 'mean.binaryproto'", false, false), Error);
}

}  // namespace
}  // namespace orepa
