#include "data/sample_loader.h"

#include <algorithm>
#include <cstring>

#include "orepa/error.h"

namespace orepa {
namespace {

std::string str(const Extent& extent) { return text(extent.height, " x ", extent.width); }

// Of the window, as it is seen: flipped.
Frame::Part image_part(const View& view) {
  const Box& window = view.window;
  const auto within = [](int64_t position, int64_t most) {
    return static_cast<int32_t>(std::clamp<int64_t>(position, 0, most));
  };
  Frame::Part part{
      within(-window.top, window.height), within(view.size.height - window.top, window.height),
      within(-window.left, window.width), within(view.size.width - window.left, window.width)};
  if (!view.flip) return part;
  const auto width = static_cast<int32_t>(window.width);
  return {part.top, part.bottom, width - part.right, width - part.left};
}

Frame frame_of(const Plan& plan, ColorOrder order) {
  Frame frame;
  frame.image = image_part(plan.view);
  const Box& erased = plan.erased;
  frame.erased = {
      static_cast<int32_t>(erased.top), static_cast<int32_t>(erased.top + erased.height),
      static_cast<int32_t>(erased.left), static_cast<int32_t>(erased.left + erased.width)};
  frame.top = static_cast<int32_t>(plan.mean.top);
  frame.left = static_cast<int32_t>(plan.mean.left);
  frame.flip = plan.mean.flip ? 1 : 0;
  for (size_t c = 0; c < 3; ++c) frame.light[c] = plan.light[order == ColorOrder::kBgr ? 2 - c : c];
  return frame;
}

void make_plan(const Augment& augment, const Record& record, const Extent& image, int64_t walked,
               Plan& plan) {
  Box window;
  if (const auto& edges = record.window)
    window = {edges->top, edges->left, edges->bottom - edges->top + 1,
              edges->right - edges->left + 1};
  augment.plan(image, walked, plan, record.window ? &window : nullptr);
}

// Rethrows with the sample's name in front.
template <class Call>
void named(const DataSource& source, int64_t sample, Call call) {
  try {
    call();
  } catch (const Error& error) {
    fail(source.name(sample), ": ", error.what());
  }
}

ImageFormat format_of(const Record& record, const Augment& augment, bool as_stored) {
  ImageFormat format;
  format.order =
      augment.color() == Augment::Color::kGray ? ColorOrder::kGray : augment.color_order();
  Extent extent{record.height, record.width};
  format.channels = record.channels;
  format.numbers = record.kind == Record::Kind::kNumbers;
  if (!format.numbers) {
    Decoder decoder({format.order, true});
    decoder.open(record);
    extent = decoder.extent();
    format.channels = decoder.channels();
    if (record.kind == Record::Kind::kFile && as_stored &&
        augment.color() == Augment::Color::kAsStored && decoder.stored_channels() == 1) {
      format.order = ColorOrder::kGray;
      format.channels = 1;
    }
  }
  Plan plan;
  make_plan(augment, record, extent, 0, plan);
  format.extent = plan.view.window.extent();
  return format;
}

}  // namespace

ImageFormat image_format(const DataSource& source, const Augment& augment, bool as_stored) {
  constexpr int64_t kMostBroken = 100;  // more than that is no accident
  Record record;
  std::string first;  // what is wrong with sample 0
  for (int64_t sample = 0; sample < std::min(source.size(), kMostBroken); ++sample) try {
      source.read(sample, record);
      ImageFormat format;
      named(source, sample, [&] { format = format_of(record, augment, as_stored); });
      return format;
    } catch (const Error& error) {
      if (sample == 0) first = error.what();
    }
  fail(first);
}

SampleLoader::SampleLoader(const DataSource& source, const Augment& augment,
                           const ImageFormat& format)
    : source_(source),
      augment_(augment),
      format_(format),
      decoder_({format.order, augment.exact_decode()}) {}

Extent SampleLoader::open() {
  Extent extent{record_.height, record_.width};
  int64_t channels = record_.channels;
  const bool numbers = record_.kind == Record::Kind::kNumbers;
  if (!numbers) {
    decoder_.open(record_);
    extent = decoder_.extent();
    channels = decoder_.channels();
  }
  require(numbers == format_.numbers && channels == format_.channels, "has ", channels,
          " channels of ", numbers ? "numbers" : "bytes", ", but the first sample has ",
          format_.channels, " of ", format_.numbers ? "numbers" : "bytes");
  return extent;
}

void SampleLoader::load(int64_t sample, int64_t walked, unsigned char* image, Frame& frame,
                        float& label) {
  source_.read(sample, record_);  // its errors name the sample
  named(source_, sample, [&] {
    make_plan(augment_, record_, open(), walked, plan_);
    const Extent seen = plan_.view.window.extent();
    require(seen == format_.extent, "becomes ", str(seen), " pixels, expected ",
            str(format_.extent), "; crop or resize all images to one size (transform_param)");
    const bool colors = !plan_.colors.empty() || plan_.light != decltype(plan_.light){};
    require(!colors || format_.channels == 3, "has ", format_.channels,
            " channels; color_jitter and lighting are of three");
    if (format_.numbers)
      load_numbers(reinterpret_cast<float*>(image));
    else
      decoder_.decode(plan_.view, image);
    for (const ColorChange& change : plan_.colors)
      adjust(change.what, change.factor, format_.order,
             {image, static_cast<size_t>(format_.count())});
    frame = frame_of(plan_, format_.order);
    label = static_cast<float>(record_.label);
  });
}

void SampleLoader::load_numbers(float* image) const {
  const View& view = plan_.view;
  require(view.size == view.region.extent() && plan_.colors.empty(),
          "holds numbers, not bytes: they can be cropped and flipped, but not be resized or get ",
          "other colours");
  const Frame::Part part = image_part(view);
  const Box& window = view.window;
  std::fill(image, image + format_.count(), 0.0f);
  for (int64_t y = part.top; y < part.bottom; ++y)
    for (int64_t x = part.left; x < part.right; ++x) {
      const int64_t column =
          view.region.left + window.left + (view.flip ? window.width - 1 - x : x);
      const int64_t row = view.region.top + window.top + y;
      for (int64_t c = 0; c < format_.channels; ++c) {
        const int64_t at = (c * record_.height + row) * record_.width + column;
        std::memcpy(image + (y * window.width + x) * format_.channels + c,
                    record_.content.data() + at * 4, 4);
      }
    }
}

}  // namespace orepa
