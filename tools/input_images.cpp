#include "input_images.h"

#include "core/input_file.h"
#include "layers/normalize.h"
#include "orepa/error.h"

namespace orepa::tool {
namespace {

ImageFormat format_of(const Shape& image, const Augment& augment) {
  require(image[0] == 1 || image[0] == 3, "the net wants images of ", image[0],
          " channels; files have 1 or 3");
  if (const MeanImage* mean = augment.mean_image())
    require(mean->channels == image[0], "transform_param.mean_file has ", mean->channels,
            " channels, the net wants ", image[0]);
  ImageFormat format;
  format.channels = image[0];
  format.extent = {image[1], image[2]};
  format.order = image[0] == 1 ? ColorOrder::kGray : augment.color_order();
  return format;
}

// Numbers in Caffe's order, with channels innermost.
std::vector<float> interleaved(const MeanImage& mean) {
  const int64_t pixels = mean.extent.height * mean.extent.width;
  std::vector<float> numbers(mean.values.size());
  for (int64_t pixel = 0; pixel < pixels; ++pixel)
    for (int64_t c = 0; c < mean.channels; ++c)
      numbers[static_cast<size_t>(pixel * mean.channels + c)] =
          mean.values[static_cast<size_t>(c * pixels + pixel)];
  return numbers;
}

}  // namespace

void NamedFiles::read(int64_t index, Record& record) const {
  const std::string content = read_file(name(index));
  record.kind = Record::Kind::kFile;
  record.label = 0;
  record.buffer.assign(content.begin(), content.end());
  record.content = record.buffer;
}

InputImages::InputImages(std::vector<std::string> paths, const Options& transform_param,
                         const Loading& loading, const Shape& image)
    : files_(std::move(paths)),
      augment_(transform_param, /*augment=*/false, /*seed=*/0, loading),
      format_(format_of(image, augment_)),
      means_(augment_.means(format_.channels)),
      scales_(augment_.scales(format_.channels)),
      loader_(files_, augment_, format_) {
  if (const MeanImage* mean = augment_.mean_image()) mean_image_ = interleaved(*mean);
}

std::vector<float> InputImages::read(int64_t index) {
  std::vector<unsigned char> pixels(static_cast<size_t>(format_.bytes()) + Image::kSlack);
  Frame frame;
  float label = 0;
  loader_.load(index, index, pixels.data(), frame, label);
  const int64_t height = format_.extent.height, width = format_.extent.width;
  const auto channels = format_.channels;
  std::vector<float> numbers(static_cast<size_t>(format_.count()));
  const MeanImage* mean = augment_.mean_image();
  const Normalize<unsigned char> normalize{
      pixels.data(),
      &frame,
      means_.data(),
      scales_.data(),
      mean != nullptr ? mean_image_.data() : nullptr,
      static_cast<int32_t>(height),
      static_cast<int32_t>(width),
      static_cast<int32_t>(channels),
      static_cast<int32_t>(mean != nullptr ? mean->extent.width : 0),
      numbers.data()};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) normalize(y, x);
  std::vector<float> planes(numbers.size());
  for (int64_t pixel = 0; pixel < height * width; ++pixel)
    for (int64_t c = 0; c < channels; ++c)
      planes[static_cast<size_t>(c * height * width + pixel)] =
          numbers[static_cast<size_t>(pixel * channels + c)];
  return planes;
}

}  // namespace orepa::tool
