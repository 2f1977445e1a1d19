// Augment: what a TransformationParameter says, be it Caffe's fields or a list of transforms: a
// plan for every image, and how its bytes become numbers,
//   y = (x + light - mean) * scale,
// while padding and what is erased become 0.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "data/mean_image.h"
#include "data/transforms/transform.h"

namespace orepa {

// What Caffe's ImageData does with a file before all else.
struct Loading {
  Extent size;  // 0 x 0: as it is stored
  bool gray = false;
  // Of Caffe's WindowData: crop_size pixels along each side, of which `context` on each side are of
  // what surrounds the window.
  struct Windows {
    int64_t context = 0;
    bool square = false;  // a square of the image, not the window's own shape
  };
  std::optional<Windows> windows;
};

class Augment {
 public:
  // `augment`: phase TRAIN, in which Caffe's crop is at a random place and its mirror flips every
  // second image. Transforms do what they say in every phase. What they make is resized in the end
  // so that its shorter side has `image_size`, unless that is 0. Throws Error that says where.
  Augment(const Options& transform_param, bool augment, uint64_t seed, const Loading& loading = {},
          int64_t image_size = 0);

  // For the sample that comes after `walked` others, a window of the image or all of it. Throws
  // Error where it does not fit.
  void plan(const Extent& image, int64_t walked, Plan& plan, const Box* window = nullptr) const;

  // One number a channel. Throw Error where another count of them is given.
  std::vector<float> means(int64_t channels) const;
  std::vector<float> scales(int64_t channels) const;
  // Of Caffe's mean_file, which is subtracted where the image was before it is cropped; null where
  // there is none.
  const MeanImage* mean_image() const { return mean_image_ ? &*mean_image_ : nullptr; }

  enum class Color { kAsStored, kColor, kGray };
  Color color() const { return color_; }
  ColorOrder color_order() const { return order_; }  // of what has colours
  bool exact_decode() const { return exact_decode_; }

 private:
  void read_caffe(const Options& options, bool augment);
  void read_windows(const Options& options, const Loading::Windows& windows, bool augment);
  void read_list(const Options& options, bool resized);
  void read_numbers(const Options& options);
  void place_mean_image(Plan& plan) const;
  void add(std::unique_ptr<Transform> transform);
  std::vector<float> each(const char* what, const std::vector<float>& numbers, float otherwise,
                          int64_t channels) const;

  struct Entry {
    std::unique_ptr<Transform> transform;
    Random::Purpose random;
  };
  uint64_t seed_;
  int64_t image_size_;
  bool windows_;  // whether samples are windows of images
  std::vector<Entry> entries_;
  std::vector<float> means_, scales_;
  std::optional<MeanImage> mean_image_;
  Color color_ = Color::kAsStored;
  ColorOrder order_;
  bool exact_decode_;
};

}  // namespace orepa
