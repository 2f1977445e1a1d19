// Speed of reading JPEG files, as tools/bench_data.py asks for it:
//
//   decoding WORK THREADS SECONDS FOLDER
//
// reads every file below FOLDER into memory and prints a line of JSON: how many of them all
// threads together get through a second, and a second of processors' time, of WORK,
//
//   whole      libjpeg-turbo decodes all of the image
//   crop       what a RandomResizedCrop(224) sees is decoded
//   part       and resized, and flipped
//   exact      the same without scaled decoding
//   training   as part, and made float32 of mean 0 and deviation 1
//
// and how many images were decoded at 1/2, 1/4 or 1/8.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "data/decoder.h"
#include "data/jpeg.h"
#include "orepa/error.h"
#include "orepa/random.h"

using namespace orepa;

namespace {

constexpr int64_t kSide = 224;

std::vector<Record> files_below(const std::string& folder) {
  std::vector<Record> records;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".jpg") continue;
    Record& record = records.emplace_back();
    std::ifstream file(entry.path(), std::ios::binary);
    record.kind = Record::Kind::kFile;
    record.buffer.assign(std::istreambuf_iterator<char>(file), {});
  }
  for (Record& record : records) record.content = record.buffer;
  require(!records.empty(), folder, ": no *.jpg below it");
  return records;
}

// As torchvision's: an area of 8 to 100 %, 3:4 to 4:3.
View random_view(const Extent& extent, const Random& random) {
  View view;
  view.size = {kSide, kSide};
  view.window = {0, 0, kSide, kSide};
  const auto height = static_cast<double>(extent.height), width = static_cast<double>(extent.width);
  uint64_t draw = 0;
  view.flip = random.uniform(draw++) < 0.5f;
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = height * width * (0.08 + 0.92 * random.uniform(draw++));
    const double ratio = std::exp(std::log(0.75) + std::log(16.0 / 9) * random.uniform(draw++));
    const auto w = static_cast<int64_t>(std::lround(std::sqrt(area * ratio)));
    const auto h = static_cast<int64_t>(std::lround(std::sqrt(area / ratio)));
    if (w <= 0 || w > extent.width || h <= 0 || h > extent.height) continue;
    const auto place = [&](int64_t free) {
      return static_cast<int64_t>(random.below(draw++, static_cast<uint64_t>(free) + 1));
    };
    const int64_t top = place(extent.height - h);
    view.region = {top, place(extent.width - w), h, w};
    return view;
  }
  const int64_t side = std::min(extent.height, extent.width);
  view.region = {(extent.height - side) / 2, (extent.width - side) / 2, side, side};
  return view;
}

class Worker {
 public:
  Worker(const std::string& work, const std::vector<Record>& records)
      : work_(work), records_(records), decoder_({.exact = work == "exact"}) {}

  void run(int64_t index) {
    const Record& record = records_[static_cast<size_t>(index) % records_.size()];
    const Random random(1, "view", static_cast<uint64_t>(index));
    if (work_ == "whole" || work_ == "crop") {
      jpeg_.open(record.content);
      const Extent& extent = jpeg_.extent();
      const Box box = work_ == "crop" ? random_view(extent, random).region
                                      : Box{0, 0, extent.height, extent.width};
      jpeg_.decode(box, 1, ColorOrder::kRgb, part_);
      return;
    }
    decoder_.open(record);
    const View view = random_view(decoder_.extent(), random);
    decoder_.decode(view, pixels_.data());
    scaled_ += view.region.height >= 2 * kSide && view.region.width >= 2 * kSide;
    if (work_ == "training") normalise();
  }
  int64_t scaled() const { return scaled_; }

 private:
  void normalise() {
    constexpr float kMean[] = {0.485f, 0.456f, 0.406f}, kDeviation[] = {0.229f, 0.224f, 0.225f};
    for (size_t c = 0; c < 3; ++c) {
      const float scale = 1 / (255 * kDeviation[c]), offset = -kMean[c] / kDeviation[c];
      for (size_t i = c; i < pixels_.size(); i += 3)
        numbers_[i] = static_cast<float>(pixels_[i]) * scale + offset;
    }
  }

  const std::string& work_;
  const std::vector<Record>& records_;
  JpegReader jpeg_;
  Part part_;
  Decoder decoder_;
  std::vector<unsigned char> pixels_ = std::vector<unsigned char>(kSide * kSide * 3);
  std::vector<float> numbers_ = std::vector<float>(kSide * kSide * 3);
  int64_t scaled_ = 0;
};

void measure(const std::string& work, int threads, double seconds, const std::string& folder) {
  using Clock = std::chrono::steady_clock;
  const std::vector<Record> records = files_below(folder);
  std::atomic<int64_t> next = 0, scaled = 0;
  const std::clock_t busy_before = std::clock();
  const auto start = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  std::vector<std::thread> team;
  for (int i = 0; i < threads; ++i)
    team.emplace_back([&] {
      Worker worker(work, records);
      while (elapsed() < seconds) worker.run(next++);
      scaled += worker.scaled();
    });
  for (std::thread& thread : team) thread.join();
  const auto images = static_cast<double>(next);
  const double busy = static_cast<double>(std::clock() - busy_before) / CLOCKS_PER_SEC;
  std::printf(
      "{\"images\": %.0f, \"a_second\": %.1f, \"a_processor_second\": %.1f, \"scaled\": %.4f}\n",
      images, images / elapsed(), images / busy, static_cast<double>(scaled) / images);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    require(argc == 5, "usage: decoding whole|crop|part|exact|training THREADS SECONDS FOLDER");
    measure(argv[1], std::stoi(argv[2]), std::stod(argv[3]), argv[4]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "decoding: %s\n", error.what());
    return 1;
  }
}
