// What the commands `dataset ...` share.
#pragma once
#include <gflags/gflags.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/image.h"
#include "orepa/data_source.h"

DECLARE_string(source);
DECLARE_string(backend);
DECLARE_int32(threads);

namespace orepa::tool {

// The flags by which all of them say where samples are.
std::vector<std::string> with_source_flags(std::vector<std::string> others);
// What --source names, with labels where it has some; --backend, or what the source looks like.
struct Dataset {
  SourceName name;
  std::shared_ptr<const DataSource> source;
};
Dataset open_dataset();

// --threads, or one for each processor.
int threads();

// How far a walk over samples is, on stderr: a line that is rewritten in a terminal, else one every
// ten seconds.
class CountProgress {
 public:
  // Of `total`, `done` are done already.
  CountProgress(std::string what, int64_t total, int64_t done = 0);
  ~CountProgress();
  void count(int64_t done);  // so many altogether

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  int64_t total_, first_;
  bool live_, written_ = false;
  Clock::time_point start_ = Clock::now(), last_ = start_;
};

// Calls body(thread, index) for [first, last), each index once, from threads() threads. Rethrows
// what the smallest index has thrown, after all others are done.
void each_sample(int64_t first, int64_t last, const std::function<void(int, int64_t)>& body);
// The same for all samples, with a CountProgress.
void walk(const std::string& what, const DataSource& source,
          const std::function<void(int, int64_t)>& body);

// What is wrong with a sample, with its name in front.
std::string with_name(const DataSource& source, int64_t index, const std::string& reason);

// Samples as images. One a thread.
class ImageReader {
 public:
  // Files become grey where they are, else of that order; pixels stay as they are.
  explicit ImageReader(ColorOrder order);
  ~ImageReader();
  // Reads the sample. Throws Error that does not name it where it is no image; then record() is
  // still what was read.
  void open(const DataSource& source, int64_t index);
  const Record& record() const { return record_; }
  Extent extent() const;
  int64_t channels() const;
  // All of it, resized to `size`.
  void decode(const Extent& size, Image& image);

 private:
  struct State;
  Record record_;
  std::unique_ptr<State> state_;
};

}  // namespace orepa::tool
