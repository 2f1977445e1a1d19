#include "data/augment.h"

#include <array>
#include <functional>
#include <utility>

#include "orepa/error.h"

namespace orepa {
namespace {

using Make = std::function<std::unique_ptr<Transform>(const Options&)>;

const std::vector<std::pair<std::string, Make>>& makers() {
  static const std::vector<std::pair<std::string, Make>> table = {
      {"resize", [](const Options& options) { return make_resize(options); }},
      {"center_crop", [](const Options& options) { return make_crop(options, false); }},
      {"random_crop", [](const Options& options) { return make_crop(options, true); }},
      {"random_resized_crop", make_random_resized_crop},
      {"flip", [](const Options& options) { return make_flip(options); }},
      {"color_jitter", make_color_jitter},
      {"lighting", make_lighting},
      {"random_erasing", make_random_erasing}};
  return table;
}

constexpr const char* kNormalize = "normalize";

// Throws Error unless exactly one field is there.
std::string field_of(const Options& entry) {
  std::string field;
  const auto take = [&](const std::string& name) {
    if (!entry.has(name)) return;
    require(field.empty(), entry.where(name), ": a transform {} says one thing, this one ", field,
            " and ", name, "; write two");
    field = name;
  };
  for (const auto& [name, make] : makers()) take(name);
  take(kNormalize);
  require(!field.empty(), entry.where(), ": a transform {} is empty; name one, as in transform { ",
          "flip {} }");
  return field;
}

std::vector<float> floats(const std::vector<double>& numbers) {
  return {numbers.begin(), numbers.end()};
}

}  // namespace

Augment::Augment(const Options& options, bool augment, uint64_t seed, const Loading& loading,
                 int64_t image_size)
    : seed_(seed),
      image_size_(image_size),
      windows_(loading.windows.has_value()),
      order_(options.choice("color_order") == "RGB" ? ColorOrder::kRgb : ColorOrder::kBgr),
      exact_decode_(options.flag("exact_decode")) {
  const bool color = options.flag("force_color"), gray = options.flag("force_gray");
  require(!color || !gray, options.where("force_gray"),
          ": either force_color or force_gray can be given, not both");
  if (color) color_ = Color::kColor;
  if (gray || (loading.gray && !color)) color_ = Color::kGray;
  const bool resized = loading.size != Extent{};
  if (resized) add(make_resize(loading.size, Filter::kBilinear));
  if (loading.windows)
    read_windows(options, *loading.windows, augment);
  else if (options.has("transform"))
    read_list(options, resized);
  else
    read_caffe(options, augment);
}

void Augment::read_caffe(const Options& options, bool augment) {
  const int64_t crop = options.integer("crop_size"), pad = options.integer("pad");
  if (crop > 0 || pad > 0) add(make_caffe_crop(crop, pad, augment));
  if (options.flag("mirror") && augment) add(make_flip(0.5f));
  read_numbers(options);
}

void Augment::read_windows(const Options& options, const Loading::Windows& windows, bool augment) {
  for (const char* field : {"transform", "pad"})
    require(!options.has(field), options.where(field), ": ", field,
            " is not for windows, which are cropped, resized to crop_size and mirrored");
  const int64_t crop = options.integer("crop_size");
  require(crop > 2 * windows.context, options.where("crop_size"),
          ": crop_size must be larger than ", "twice the context_pad ", windows.context, ", got ",
          crop);
  add(make_window_crop(crop, windows.context, windows.square, options.flag("mirror") && augment));
  read_numbers(options);
}

void Augment::read_numbers(const Options& options) {
  means_ = floats(options.numbers("mean_value"));
  scales_ = {static_cast<float>(options.number("scale"))};
  if (!options.has("mean_file")) return;
  require(means_.empty(), options.where("mean_file"),
          ": either mean_file or mean_value can be given, not both");
  require(image_size_ == 0, options.where("mean_file"), ": images of another size (image_size) ",
          "have no mean image; use mean_value");
  mean_image_ = read_mean_image(options.string("mean_file"));
}

void Augment::read_list(const Options& options, bool resized) {
  for (const char* field : {"scale", "mirror", "crop_size", "mean_file", "mean_value", "pad"})
    require(!options.has(field), options.where(field), ": ", field,
            " is Caffe's; beside transform {} write it as one of those");
  auto last = Transform::Kind::kPlace;
  for (const Options& entry : options.messages("transform")) {
    const std::string field = field_of(entry);
    const std::string where = entry.where(field);
    require(scales_.empty(), where, ": normalize comes last, but ", field, " stands behind it");
    const Options message = entry.message(field);
    if (field == kNormalize) {
      means_ = floats(message.numbers("mean"));
      for (const double deviation : message.numbers("deviation")) {
        checked(message, "deviation", deviation, deviation > 0, "be positive");
        scales_.push_back(static_cast<float>(1 / deviation));
      }
      if (scales_.empty()) scales_ = {1.0f};
      continue;
    }
    for (const auto& [name, make] : makers()) {
      if (name != field) continue;
      std::unique_ptr<Transform> transform = make(message);
      require(transform->kind() >= last, where, ": ", field,
              " stands too late: places come first (resize, crops, flip), then colours, then ",
              "random_erasing, since only what is seen in the end is decoded");
      require(!transform->resizes() || !resized, where, ": ", field,
              " would resize for the second time; once is enough, and sharper");
      last = transform->kind();
      resized = resized || transform->resizes();
      add(std::move(transform));
    }
  }
}

void Augment::add(std::unique_ptr<Transform> transform) {
  entries_.push_back(
      {std::move(transform), Random::Purpose(seed_, text("augmentation ", entries_.size()))});
}

void Augment::plan(const Extent& image, int64_t walked, Plan& plan, const Box* window) const {
  plan.start(image, window);
  for (const Entry& entry : entries_)
    entry.transform->plan(plan, entry.random.at(static_cast<uint64_t>(walked)));
  if (image_size_ > 0) plan.scale(image_size_);
  const View& view = plan.view;
  plan.mean = {view.region.top + view.window.top, view.region.left + view.window.left, view.flip};
  if (mean_image_) place_mean_image(plan);
}

void Augment::place_mean_image(Plan& plan) const {
  const Extent &is = plan.view.size, &mean = mean_image_->extent;
  if (windows_) {  // its centre, which is not flipped
    const Box& seen = plan.view.window;
    require(seen.height <= mean.height && seen.width <= mean.width, "becomes ", seen.height, " x ",
            seen.width, ", but the mean image is ", mean.height, " x ", mean.width);
    plan.mean = {(mean.height - seen.height) / 2, (mean.width - seen.width) / 2, false};
    return;
  }
  require(is == mean, "is ", is.height, " x ", is.width, ", but the mean image is ", mean.height,
          " x ", mean.width);
}

std::vector<float> Augment::means(int64_t channels) const {
  return each("mean", means_, 0, channels);
}

std::vector<float> Augment::scales(int64_t channels) const {
  return each("scale", scales_, 1, channels);
}

std::vector<float> Augment::each(const char* what, const std::vector<float>& numbers,
                                 float otherwise, int64_t channels) const {
  require(numbers.size() <= 1 || static_cast<int64_t>(numbers.size()) == channels,
          "transform_param gives a ", what, " for ", numbers.size(), " channels, but images have ",
          channels, "; give one for all, or one each");
  std::vector<float> all(static_cast<size_t>(channels), numbers.empty() ? otherwise : numbers[0]);
  if (numbers.size() > 1) all = numbers;
  return all;
}

}  // namespace orepa
