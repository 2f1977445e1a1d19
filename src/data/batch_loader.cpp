#include "data/batch_loader.h"

#include <utility>

#include "orepa/error.h"

namespace orepa {

BatchLoader::BatchLoader(std::shared_ptr<const DataSource> source,
                         std::shared_ptr<const Augment> augment, const SampleOrder& order,
                         bool as_stored, int threads, double max_broken)
    : source_(std::move(source)),
      augment_(std::move(augment)),
      order_(order),
      format_(image_format(*source_, *augment_, as_stored)),
      most_broken_(static_cast<int64_t>(max_broken * static_cast<double>(source_->size()))) {
  for (int t = 0; t < threads; ++t)
    loaders_.push_back(std::make_unique<SampleLoader>(*source_, *augment_, format_));
}

void BatchLoader::fill(int thread, int64_t index, int64_t row, char* batch) {
  const BatchLayout layout = this->layout();
  auto* image = reinterpret_cast<unsigned char*>(batch) + row * layout.image_bytes;
  Frame& frame = reinterpret_cast<Frame*>(batch + layout.frames())[row];
  float& label = reinterpret_cast<float*>(batch + layout.labels())[row];
  const int64_t walked = order_.walked(index, row), own = order_.sample(walked);
  for (int64_t behind = 0; behind < source_->size(); ++behind) {
    const int64_t sample = (own + behind) % source_->size();
    try {
      return loaders_[static_cast<size_t>(thread)]->load(sample, walked, image, frame, label);
    } catch (const Error& error) {
      note_broken(sample, error.what());
    }
  }
  fail(source_->name(own), ": is broken, and so are all others");
}

void BatchLoader::note_broken(int64_t sample, const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (!broken_.insert(sample).second) return;
  const auto count = static_cast<int64_t>(broken_.size());
  require(count <= most_broken_, what,
          count == 1 ? "" : text(" (broken sample number ", count, ")"), "; of ", source_->size(),
          " samples, ", most_broken_,
          " may be broken (data_param.max_broken); `orepa_tool dataset verify` finds them all");
  notes_.push_back(what + "; the next sample takes its place");
}

std::vector<std::string> BatchLoader::take_notes() {
  const std::lock_guard lock(mutex_);
  return std::exchange(notes_, {});
}

}  // namespace orepa
