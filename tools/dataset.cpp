#include "dataset.h"

#include <unistd.h>

#include <atomic>
#include <exception>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <thread>

#include "command.h"
#include "data/decoder.h"
#include "orepa/error.h"
#include "table.h"

DEFINE_string(source, "", "where the samples are: a folder, a database, a list, tar files");
DEFINE_string(
    backend, "",
    "FOLDER, LIST, LMDB, LEVELDB, TAR, HDF5 or IDX; by the look of the source where absent");
DEFINE_string(root_folder, "", "of LIST: stands before every path");
DEFINE_string(index, "", "of FOLDER, TAR and LEVELDB: a file that keeps what is found");
DEFINE_int32(threads, 0, "threads that read and decode (0: one for each processor)");

namespace orepa::tool {
namespace {

namespace fs = std::filesystem;

std::string backend_of(const std::string& source) {
  const auto ends = [&](const char* ending) { return source.ends_with(ending); };
  if (fs::is_directory(source)) {
    if (fs::exists(source + "/data.mdb")) return "LMDB";
    if (fs::exists(source + "/CURRENT")) return "LEVELDB";
    for (const auto& entry : fs::directory_iterator(source))
      if (entry.path().extension() == ".tar") return "TAR";
    return "FOLDER";
  }
  if (ends(".tar") || source.find_first_of("{*?") != std::string::npos) return "TAR";
  if (ends(".h5") || ends(".hdf5")) return "HDF5";
  if (source.find("-idx") != std::string::npos) return "IDX";
  return "LIST";
}

// With labels, or without where there are none.
std::shared_ptr<const DataSource> open_labelled(const SourceName& name) {
  if (name.backend != "IDX" && name.backend != "TAR" && name.backend != "HDF5")
    return open_data_source(name, true);
  try {
    return open_data_source(name, true);
  } catch (const Error& error) {
    std::shared_ptr<const DataSource> source = open_data_source(name, false);
    std::cerr << "without labels: " << error.what() << "\n";
    return source;
  }
}

}  // namespace

std::vector<std::string> with_source_flags(std::vector<std::string> others) {
  others.insert(others.begin(), {"backend", "root_folder", "index", "threads"});
  return others;
}

Dataset open_dataset() {
  SourceName name{.source = FLAGS_source,
                  .backend = FLAGS_backend.empty() ? backend_of(FLAGS_source) : FLAGS_backend,
                  .root_folder = FLAGS_root_folder,
                  .index = FLAGS_index};
  std::shared_ptr<const DataSource> source = open_labelled(name);
  return {std::move(name), std::move(source)};
}

int threads() {
  if (FLAGS_threads < 0) throw UsageError("flag --threads cannot be negative");
  return FLAGS_threads > 0 ? FLAGS_threads
                           : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

CountProgress::CountProgress(std::string what, int64_t total, int64_t done)
    : what_(std::move(what)), total_(total), first_(done), live_(isatty(STDERR_FILENO) != 0) {}

CountProgress::~CountProgress() {
  if (live_ && written_) std::cerr << "\n";
}

void CountProgress::count(int64_t done) {
  const auto now = Clock::now();
  const auto interval = live_ ? std::chrono::milliseconds(200) : std::chrono::seconds(10);
  if (now - last_ < interval && !(live_ && done == total_)) return;
  last_ = now;
  written_ = true;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double rate = static_cast<double>(done - first_) / std::max(seconds, 1e-3);
  std::cerr << (live_ ? "\r" : "") << what_ << ": " << grouped(done) << " of " << grouped(total_)
            << ", " << grouped(static_cast<int64_t>(rate)) << "/s, "
            << clock(static_cast<double>(total_ - done) / std::max(rate, 1e-3)) << " left"
            << (live_ ? "   " : "\n") << std::flush;
}

void each_sample(int64_t first, int64_t last, const std::function<void(int, int64_t)>& body) {
  std::atomic<int64_t> next = first;
  std::mutex mutex;
  int64_t failed = last;
  std::exception_ptr failure;
  const auto work = [&](int thread) {
    for (int64_t index = next++; index < last; index = next++) try {
        body(thread, index);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (index < failed) failure = std::current_exception();
        failed = std::min(failed, index);
      }
  };
  std::vector<std::thread> workers;
  for (int thread = 1; thread < threads(); ++thread) workers.emplace_back(work, thread);
  work(0);
  for (std::thread& worker : workers) worker.join();
  if (failure) std::rethrow_exception(failure);
}

void walk(const std::string& what, const DataSource& source,
          const std::function<void(int, int64_t)>& body) {
  CountProgress progress(what, source.size());
  std::mutex mutex;
  std::atomic<int64_t> done = 0;
  each_sample(0, source.size(), [&](int thread, int64_t index) {
    body(thread, index);
    const int64_t so_far = ++done;
    if (const std::unique_lock lock(mutex, std::try_to_lock); lock) progress.count(so_far);
  });
}

std::string with_name(const DataSource& source, int64_t index, const std::string& reason) {
  const std::string name = source.name(index);
  return reason.starts_with(name) ? reason : name + ": " + reason;
}

struct ImageReader::State {
  explicit State(ColorOrder order)
      : gray({.order = ColorOrder::kGray, .exact = true}), color({.order = order, .exact = true}) {}
  Decoder gray, color;
  Decoder* open = nullptr;
};

ImageReader::ImageReader(ColorOrder order) : state_(std::make_unique<State>(order)) {}
ImageReader::~ImageReader() = default;

void ImageReader::open(const DataSource& source, int64_t index) {
  source.read(index, record_);
  require(record_.kind != Record::Kind::kNumbers, "holds numbers (float_data), no image");
  state_->open = &state_->color;
  state_->color.open(record_);
  if (record_.kind != Record::Kind::kFile || state_->color.stored_channels() != 1) return;
  state_->open = &state_->gray;
  state_->gray.open(record_);
}

Extent ImageReader::extent() const { return state_->open->extent(); }
int64_t ImageReader::channels() const { return state_->open->channels(); }

void ImageReader::decode(const Extent& size, Image& image) {
  const Extent all = extent();
  const View view{.region = {0, 0, all.height, all.width},
                  .size = size,
                  .window = {0, 0, size.height, size.width}};
  image.resize(size, channels());
  state_->open->decode(view, image.pixels.data());
}

}  // namespace orepa::tool
