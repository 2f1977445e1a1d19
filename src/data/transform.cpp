#include "data/transform.h"

#include <algorithm>

#include "orepa/error.h"

namespace orepa {

Transform::Transform(const Options& options, const Shape& sample, bool augment)
    : augment_(augment),
      mirror_(options.flag("mirror")),
      pad_(options.integer("pad")),
      scale_(static_cast<float>(options.number("scale"))) {
  require(!options.has("mean_file"), "transform_param.mean_file cannot be read; give mean_value");
  for (const char* field : {"force_color", "force_gray"})
    require(!options.has(field), "transform_param.", field, " is for encoded images only");
  const std::vector<double> means = options.numbers("mean_value");
  const auto channels = static_cast<size_t>(sample[0]);
  require(means.size() <= 1 || means.size() == channels, "transform_param gives ", means.size(),
          " mean_value for images of ", channels, " channels; give one for all, or one each");
  mean_.assign(channels, means.empty() ? 0.0f : static_cast<float>(means[0]));
  if (means.size() > 1) std::copy(means.begin(), means.end(), mean_.begin());

  const int64_t height = sample[1] + 2 * pad_, width = sample[2] + 2 * pad_;
  const int64_t crop = options.integer("crop_size");
  require(crop <= std::min(height, width), "transform_param.crop_size ", crop,
          " is larger than the image with its padding, ", height, " x ", width);
  output_ = crop > 0 ? Shape{sample[0], crop, crop} : Shape{sample[0], height, width};
}

void Transform::apply(const Sample& sample, const Random& random, float* out) const {
  enum Draw { kTop, kLeft, kFlip };
  const int64_t channels = output_[0], height = output_[1], width = output_[2];
  const auto place = [&](Draw draw, int64_t free) {
    return augment_ ? static_cast<int64_t>(random.below(draw, static_cast<uint64_t>(free) + 1))
                    : free / 2;
  };
  const int64_t top = place(kTop, sample.height + 2 * pad_ - height) - pad_;
  const int64_t left = place(kLeft, sample.width + 2 * pad_ - width) - pad_;
  const bool flip = mirror_ && augment_ && random.below(kFlip, 2) == 1;
  for (int64_t y = 0; y < height; ++y) {
    const int64_t row = top + y;
    for (int64_t x = 0; x < width; ++x, out += channels) {
      const int64_t column = left + (flip ? width - 1 - x : x);
      if (row < 0 || row >= sample.height || column < 0 || column >= sample.width) {
        std::fill(out, out + channels, 0.0f);
        continue;
      }
      const float* pixel = sample.pixels.data() + (row * sample.width + column) * channels;
      for (int64_t c = 0; c < channels; ++c)
        out[c] = (pixel[c] - mean_[static_cast<size_t>(c)]) * scale_;
    }
  }
}

}  // namespace orepa
