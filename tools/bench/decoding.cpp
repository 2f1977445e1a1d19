// How fast JPEG files are read, for tools/bench_data.py:
//
//   decoding WORK THREADS SECONDS FOLDER
//
// does WORK with the files below FOLDER, over and over, and prints a line of JSON: images a second,
// and a second of processor time.
//
//   whole   libjpeg-turbo decodes all of the image
//   crop    what a random_resized_crop of 224 sees is decoded at full size
//   exact   that is resized, and flipped
//   views   the same, but for decoding at 1/2, 1/4 or 1/8; "scaled" is the share where it is done
//   batches a net's source reads files, does the same and normalises, in batches of 64: float32
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "data/jpeg.h"
#include "layers/image_source.h"
#include "orepa/error.h"
#include "orepa/net.h"

using namespace orepa;

namespace {

// They are read anew every time, from the system's cache.
class Files : public DataSource {
 public:
  explicit Files(const std::string& folder) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
      if (entry.path().extension() == ".jpg") paths_.push_back(entry.path().string());
    require(!paths_.empty(), folder, ": no *.jpg below it");
  }
  int64_t size() const override { return std::ssize(paths_); }
  void read(int64_t index, Record& record) const override {
    const std::string& path = paths_[static_cast<size_t>(index)];
    record.kind = Record::Kind::kFile;
    record.buffer.resize(std::filesystem::file_size(path));
    std::ifstream(path, std::ios::binary)
        .read(reinterpret_cast<char*>(record.buffer.data()), std::ssize(record.buffer));
    record.content = record.buffer;
  }
  std::string name(int64_t index) const override { return paths_[static_cast<size_t>(index)]; }

 private:
  std::vector<std::string> paths_;
};

class JpegFolder : public ImageSource {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options data = setup.options().message("data_param");
    ImageSourceOptions options;
    options.source = std::make_shared<Files>(data.string("source"));
    options.batch_size = data.integer("batch_size");
    options.threads = static_cast<int>(data.integer("threads"));
    options.shuffle = true;
    return set_up(setup, options);
  }
};
OREPA_LAYER(JpegFolder, "images of a folder, to measure them");

constexpr int64_t kSide = 224, kBatch = 64;

NetSpec net_of(const std::string& folder, int threads) {
  return NetSpec::parse(
      text("layer { name: 'data' type: 'JpegFolder' top: 'data' data_param { source: '", folder,
           "' batch_size: ", kBatch, " threads: ", threads,
           " } transform_param { transform { random_resized_crop { size: ", kSide,
           " } } transform { flip {} } transform { normalize {"
           " mean: [103.53, 116.28, 123.675] deviation: [57.375, 57.12, 58.395] } } } }"),
      "decoding");
}

struct Progress {
  std::atomic<int64_t> images = 0, scaled = 0;
  std::chrono::steady_clock::time_point end;
  bool goes_on() const { return std::chrono::steady_clock::now() < end; }
};

// What a thread does until the end.
void decode(const std::string& work, const std::vector<Record>& records, const Augment& augment,
            Progress& progress) {
  JpegReader jpeg;
  Part part;
  Decoder decoder({.exact = work == "exact"});
  Plan plan;
  std::vector<unsigned char> pixels(kSide * kSide * 3);
  while (progress.goes_on()) {
    const int64_t walked = progress.images++;
    const Record& record = records[static_cast<size_t>(walked) % records.size()];
    jpeg.open(record.content);
    const Extent extent = jpeg.extent();
    augment.plan(extent, walked, plan);
    const Box& region = plan.view.region;
    if (work == "whole") {
      jpeg.decode({0, 0, extent.height, extent.width}, 1, ColorOrder::kBgr, part);
    } else if (work == "crop") {
      jpeg.decode(region, 1, ColorOrder::kBgr, part);
    } else {
      decoder.open(record);
      decoder.decode(plan.view, pixels.data());
      progress.scaled += region.height >= 2 * kSide && region.width >= 2 * kSide;
    }
  }
}

void run_threads(const std::string& work, int threads, const NetSpec& net,
                 const std::vector<Record>& records, Progress& progress) {
  const Augment augment(net.layers()[0].message("transform_param"), true, 1);
  std::vector<std::thread> team;
  for (int i = 0; i < threads; ++i)
    team.emplace_back([&] { decode(work, records, augment, progress); });
  for (std::thread& thread : team) thread.join();
}

void run_net(Net& net, Progress& progress) {
  for (int64_t index = 1; progress.goes_on(); ++index, progress.images += kBatch)
    net.forward(index);
}

void measure(const std::string& work, int threads, double seconds, const std::string& folder) {
  using Clock = std::chrono::steady_clock;
  Progress progress;
  const NetSpec spec = net_of(folder, threads);
  const auto device = make_device("cpu");
  Parameters parameters(*device, 1, false);
  Arena arena(*device);
  std::vector<Record> records;
  std::unique_ptr<Net> net;
  if (work == "batches") {
    NetOptions options;
    options.phase = Phase::kTrain;
    net = std::make_unique<Net>(spec, parameters, arena, options);
    net->prepare();
    net->forward(0);  // starts its threads
  } else {
    const Files files(folder);
    records.resize(static_cast<size_t>(files.size()));
    for (int64_t i = 0; i < files.size(); ++i) files.read(i, records[static_cast<size_t>(i)]);
  }
  const std::clock_t busy = std::clock();
  const auto start = Clock::now();
  progress.end =
      start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  if (net)
    run_net(*net, progress);
  else
    run_threads(work, threads, spec, records, progress);
  const double busy_seconds = static_cast<double>(std::clock() - busy) / CLOCKS_PER_SEC;
  const double wall_seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const auto images = static_cast<double>(progress.images);
  std::printf("{\"a_second\": %.1f, \"a_processor_second\": %.1f, \"scaled\": %.4f}\n",
              images / wall_seconds, images / busy_seconds,
              static_cast<double>(progress.scaled) / images);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    require(argc == 5, "usage: decoding whole|crop|exact|views|batches THREADS SECONDS FOLDER");
    measure(argv[1], std::stoi(argv[2]), std::stod(argv[3]), argv[4]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "decoding: %s\n", error.what());
    return 1;
  }
}
