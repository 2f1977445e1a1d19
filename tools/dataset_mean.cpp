#include <cmath>
#include <iostream>
#include <mutex>

#include "command.h"
#include "core/atomic_file.h"
#include "dataset.h"
#include "flags.h"
#include "orepa.pb.h"
#include "orepa/error.h"
#include "table.h"

DEFINE_int32(height, 0, "resize images to this height, with --width");
DEFINE_int32(width, 0, "resize images to this width, with --height");

namespace orepa::tool {
namespace {

// Sums of integers, so that the order of samples and threads changes nothing.
struct Sums {
  int64_t images = 0;
  Extent extent;  // of them all; 0 x 0 where they differ
  int64_t channels = 0;
  std::vector<uint64_t> pixels;           // by place, H x W x C, while all have one extent
  std::vector<uint64_t> values, squares;  // by channel
  uint64_t count = 0;                     // of pixels

  void add(const Image& image) {
    if (images++ == 0) {
      extent = image.extent;
      channels = image.channels;
      pixels.resize(static_cast<size_t>(extent.height * extent.width * channels));
      values.resize(static_cast<size_t>(channels));
      squares.resize(values.size());
    }
    if (image.extent != extent) differ();
    const size_t numbers = static_cast<size_t>(image.extent.height * image.stride());
    for (size_t i = 0; i < numbers; ++i) {
      const uint64_t value = image.pixels[i];
      const size_t channel = i % values.size();
      values[channel] += value;
      squares[channel] += value * value;
    }
    for (size_t i = 0; i < pixels.size(); ++i) pixels[i] += image.pixels[i];
    count += static_cast<uint64_t>(image.extent.height * image.extent.width);
  }
  void add(const Sums& other) {
    if (other.images == 0) return;
    if (images == 0) {
      *this = other;
      return;
    }
    require(channels == other.channels, "some images have ", channels, " channels, others ",
            other.channels);
    if (other.extent != extent) differ();
    images += other.images;
    count += other.count;
    for (size_t i = 0; i < pixels.size(); ++i) pixels[i] += other.pixels[i];
    for (size_t c = 0; c < values.size(); ++c) {
      values[c] += other.values[c];
      squares[c] += other.squares[c];
    }
  }

 private:
  void differ() {
    extent = {};
    pixels.clear();
  }
};

// Caffe's: 1 x C x H x W, by its old fields.
std::string mean_file(const Sums& sums) {
  BlobProto blob;
  const int64_t area = sums.extent.height * sums.extent.width;
  blob.set_num(1);
  blob.set_channels(static_cast<int>(sums.channels));
  blob.set_height(static_cast<int>(sums.extent.height));
  blob.set_width(static_cast<int>(sums.extent.width));
  for (int64_t c = 0; c < sums.channels; ++c)
    for (int64_t p = 0; p < area; ++p)
      blob.add_data(static_cast<float>(
          static_cast<double>(sums.pixels[static_cast<size_t>(p * sums.channels + c)]) /
          static_cast<double>(sums.images)));
  return blob.SerializeAsString();
}

Sums sums_of(const DataSource& source) {
  const Extent size{FLAGS_height, FLAGS_width};
  std::vector<std::unique_ptr<ImageReader>> readers;
  for (int i = 0; i < threads(); ++i)
    readers.push_back(std::make_unique<ImageReader>(ColorOrder::kBgr));
  std::vector<Image> images(readers.size());
  std::vector<Sums> sums(readers.size());
  walk("adding up", source, [&](int thread, int64_t index) {
    const auto t = static_cast<size_t>(thread);
    try {
      readers[t]->open(source, index);
      readers[t]->decode(size == Extent{} ? readers[t]->extent() : size, images[t]);
      const int64_t channels = images[t].channels;
      require(sums[t].images == 0 || sums[t].channels == channels, "has ", channels,
              " channels, others have ", sums[t].channels);
      sums[t].add(images[t]);
    } catch (const Error& error) {
      throw Error(with_name(source, index, error.what()));
    }
  });
  Sums all;
  for (const Sums& part : sums) all.add(part);
  return all;
}

void mean() {
  if ((FLAGS_height > 0) != (FLAGS_width > 0) || FLAGS_height < 0 || FLAGS_width < 0)
    throw UsageError("--height and --width go together");
  const Dataset dataset = open_dataset();
  const Sums sums = sums_of(*dataset.source);
  if (!FLAGS_output.empty()) {
    require(!sums.pixels.empty(),
            "images have several sizes, so that they have no mean image; give ",
            "--height and --width, or leave --output out");
    write_atomically(FLAGS_output, mean_file(sums));
  }
  std::cout << grouped(sums.images) << " images";
  if (!sums.pixels.empty()) std::cout << " of " << sums.extent.height << " x " << sums.extent.width;
  std::cout << (sums.channels == 3 ? ", blue, green, red where they are files\n" : "\n");
  Table table({"channel", "mean", "deviation"}, 1);
  for (size_t c = 0; c < sums.values.size(); ++c) {
    const auto count = static_cast<double>(sums.count);
    const double average = static_cast<double>(sums.values[c]) / count;
    const double variance = static_cast<double>(sums.squares[c]) / count - average * average;
    table.add(
        {std::to_string(c), decimals(average, 3), decimals(std::sqrt(std::max(0.0, variance)), 3)});
  }
  std::cout << table.str();
}

const CommandRegistrar registrar({"dataset mean",
                                  "mean and deviation of each channel; Caffe's mean file",
                                  {"source"},
                                  with_source_flags({"height", "width", "output"}),
                                  mean});

}  // namespace
}  // namespace orepa::tool
