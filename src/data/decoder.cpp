#include "data/decoder.h"

#include <algorithm>
#include <cstring>
#include <iomanip>
#include <string_view>

#include "data/jpeg.h"
#include "data/png.h"
#include "data/resample.h"
#include "orepa/error.h"

namespace orepa {
namespace {

using namespace std::string_view_literals;

// Files of a format have `magic` at byte `place`.
struct Format {
  std::string_view name, magic;
  size_t place = 0;
};
constexpr Format kJpeg{"JPEG", "\xff\xd8\xff"sv}, kPng{"PNG", "\x89PNG\r\n\x1a\n"sv};
constexpr Format kOthers[] = {{"GIF", "GIF8"sv},       {"BMP", "BM"sv},
                              {"TIFF", "II*\0"sv},     {"TIFF", "MM\0*"sv},
                              {"WebP", "WEBP"sv, 8},   {"HEIF or AVIF", "ftyp"sv, 4},
                              {"JPEG XL", "JXL "sv, 4}};

bool is_of(std::span<const unsigned char> file, const Format& format) {
  const auto& [name, magic, place] = format;
  return file.size() >= place + magic.size() &&
         std::memcmp(file.data() + place, magic.data(), magic.size()) == 0;
}

[[noreturn]] void refuse(std::span<const unsigned char> file) {
  constexpr std::string_view kExpected = "expected a JPEG or PNG file";
  require(!file.empty(), kExpected, ", got an empty one");
  for (const Format& format : kOthers)
    if (is_of(file, format)) fail(kExpected, ", got one of ", format.name);
  std::ostringstream start;
  for (size_t i = 0; i < std::min<size_t>(file.size(), 8); ++i)
    start << ' ' << std::hex << std::setw(2) << std::setfill('0') << static_cast<int>(file[i]);
  fail(kExpected, ", got what begins with the bytes", start.str());
}

// The largest of 1, 2, 4 and 8 by which a region can be divided and be no smaller than `size`.
int denominator_of(const Extent& region, const Extent& size) {
  int denominator = 1;
  while (denominator < 8 && region.height >= 2 * denominator * size.height &&
         region.width >= 2 * denominator * size.width)
    denominator *= 2;
  return denominator;
}

void interleave(const Record& record, const Box& box, Part& part) {
  const int64_t channels = record.channels;
  part.top = box.top;
  part.left = box.left;
  part.image.resize(box.extent(), channels);
  for (int64_t y = 0; y < box.height; ++y)
    for (int64_t c = 0; c < channels; ++c) {
      const unsigned char* from =
          record.content.data() + (c * record.height + box.top + y) * record.width + box.left;
      unsigned char* to = part.image.at(y, 0) + c;
      for (int64_t x = 0; x < box.width; ++x) to[x * channels] = from[x];
    }
}

void copy(const Part& part, const Box& box, bool flip, unsigned char* out, int64_t stride) {
  const int64_t channels = part.image.channels;
  for (int64_t y = 0; y < box.height; ++y, out += stride) {
    const unsigned char* row = part.at(box.top + y, box.left);
    if (!flip) {
      std::copy_n(row, box.width * channels, out);
      continue;
    }
    for (int64_t x = 0; x < box.width; ++x)
      std::copy_n(row + (box.width - 1 - x) * channels, channels, out + x * channels);
  }
}

// Where two boxes overlap; not empty.
Box overlap(const Box& a, const Extent& b) {
  const int64_t top = std::max<int64_t>(a.top, 0), left = std::max<int64_t>(a.left, 0);
  return {top, left, std::max<int64_t>(std::min(a.top + a.height, b.height) - top, 0),
          std::max<int64_t>(std::min(a.left + a.width, b.width) - left, 0)};
}

}  // namespace

struct Decoder::State {
  enum class Kind { kJpeg, kPng, kPixels };

  DecoderOptions options;
  JpegReader jpeg;
  PngReader png;
  Resampler resampler;
  Kind kind = Kind::kPixels;
  const Record* record = nullptr;
  Extent stored;
  Orientation orientation;
  Part part, shown;  // as it is stored, and as it is shown where that is something else

  // At least `box` of the image as it is shown at 1/denominator of its size.
  const Part& decode(const Box& box, int denominator) {
    const Extent scaled{(stored.height + denominator - 1) / denominator,
                        (stored.width + denominator - 1) / denominator};
    const Box stored_box = orientation.stored(box, scaled);
    switch (kind) {
      case Kind::kJpeg:
        jpeg.decode(stored_box, denominator, options.order, part);
        break;
      case Kind::kPng:
        png.decode(stored_box.top, stored_box.height, options.order, part);
        break;
      case Kind::kPixels:
        interleave(*record, stored_box, part);
        break;
    }
    if (orientation.upright()) return part;
    turn(part, stored_box, orientation, shown.image);
    shown.top = box.top;
    shown.left = box.left;
    return shown;
  }

  // A region of the whole image as it lies in that at 1/denominator, whose last pixel may be of
  // less than `denominator` pixels: an axis that is reversed begins with that.
  Resampler::Region scaled(const Box& region, int denominator) const {
    const Extent extent = orientation.shown(stored);
    const bool from_bottom =
        orientation.transpose ? orientation.reverse_columns : orientation.reverse_rows;
    const bool from_right =
        orientation.transpose ? orientation.reverse_rows : orientation.reverse_columns;
    const auto lacking = [&](bool reverse, int64_t length) {
      return reverse ? (denominator - length % denominator) % denominator : 0;
    };
    const double scale = 1.0 / denominator;
    return {static_cast<double>(region.top + lacking(from_bottom, extent.height)) * scale,
            static_cast<double>(region.left + lacking(from_right, extent.width)) * scale,
            static_cast<double>(region.height) * scale, static_cast<double>(region.width) * scale};
  }
};

Decoder::Decoder(const DecoderOptions& options) : state_(std::make_unique<State>()) {
  state_->options = options;
}

Decoder::~Decoder() = default;

void Decoder::open(const Record& record) {
  State& state = *state_;
  state.record = &record;
  state.orientation = {};
  require(record.kind != Record::Kind::kNumbers,
          "expected a JPEG or PNG file or bytes, got numbers of 32 bits");
  if (record.kind == Record::Kind::kPixels) {
    state.kind = State::Kind::kPixels;
    state.stored = {record.height, record.width};
  } else if (is_of(record.content, kJpeg)) {
    state.kind = State::Kind::kJpeg;
    state.jpeg.open(record.content);
    state.stored = state.jpeg.extent();
    state.orientation = jpeg_orientation(record.content);
  } else if (is_of(record.content, kPng)) {
    state.kind = State::Kind::kPng;
    state.png.open(record.content);
    state.stored = state.png.extent();
    state.orientation = state.png.orientation();
  } else {
    refuse(record.content);
  }
}

Extent Decoder::extent() const { return state_->orientation.shown(state_->stored); }

int64_t Decoder::channels() const {
  if (state_->kind == State::Kind::kPixels) return state_->record->channels;
  return state_->options.order == ColorOrder::kGray ? 1 : 3;
}

int64_t Decoder::stored_channels() const {
  if (state_->kind == State::Kind::kPixels) return state_->record->channels;
  return (state_->kind == State::Kind::kJpeg ? state_->jpeg.gray() : state_->png.gray()) ? 1 : 3;
}

void Decoder::decode(const View& view, unsigned char* out) {
  State& state = *state_;
  const Box& region = view.region;
  const Extent whole = extent();
  require(region.height > 0 && region.width > 0 && region.top >= 0 && region.left >= 0 &&
              region.top + region.height <= whole.height &&
              region.left + region.width <= whole.width,
          "a region of ", region.height, " x ", region.width, " at (", region.top, ", ",
          region.left, ") of an image of ", whole.height, " x ", whole.width);
  const int64_t stride = view.window.width * channels();
  const Box seen = overlap(view.window, view.size);
  if (!(seen == view.window)) std::fill_n(out, view.window.height * stride, 0);
  if (seen.height == 0 || seen.width == 0) return;
  const int64_t from_left = seen.left - view.window.left;
  const int64_t column = view.flip ? view.window.width - seen.width - from_left : from_left;
  out += (seen.top - view.window.top) * stride + column * channels();

  if (region.extent() == view.size) {
    const Box box{region.top + seen.top, region.left + seen.left, seen.height, seen.width};
    copy(state.decode(box, 1), box, view.flip, out, stride);
    return;
  }
  const bool may_scale =
      state.kind == State::Kind::kJpeg && !state.options.exact && view.filter == Filter::kAntialias;
  const int denominator = may_scale ? denominator_of(region.extent(), view.size) : 1;
  const Box box = state.resampler.plan(view.filter, state.scaled(region, denominator), view.size,
                                       seen, view.flip);
  state.resampler.apply(state.decode(box, denominator), out, stride);
}

}  // namespace orepa
