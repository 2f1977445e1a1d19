#include "data/batch_loader.h"

#include "data/shuffle.h"

namespace orepa {

BatchLoader::BatchLoader(std::unique_ptr<DataSource> source, Transform transform,
                         int64_t batch_size, int64_t first_sample, bool shuffle, uint64_t seed)
    : source_(std::move(source)),
      transform_(std::move(transform)),
      batch_size_(batch_size),
      first_sample_(first_sample),
      shuffle_(shuffle),
      seed_(seed) {}

Shape BatchLoader::batch_shape() const {
  const Shape& image = transform_.output_shape();
  return {batch_size_, image[0], image[1], image[2]};
}

int64_t BatchLoader::sample(int64_t walked) const {
  const int64_t count = source_->size(), position = walked % count;
  const Random order(seed_, "order of samples", static_cast<uint64_t>(walked / count));
  return shuffle_ ? shuffled(position, count, order) : position;
}

void BatchLoader::fill(int64_t index, float* images, float* labels) const {
  const int64_t numbers = transform_.output_shape().count();
  Sample sample;
  for (int64_t i = 0; i < batch_size_; ++i) {
    const int64_t walked = this->walked(index, i);
    source_->read(this->sample(walked), sample);
    const Random augmentation(seed_, "augmentation", static_cast<uint64_t>(walked));
    transform_.apply(sample, augmentation, images + i * numbers);
    if (labels != nullptr) labels[i] = sample.label;
  }
}

}  // namespace orepa
