// Resampler: resizes an image, or as much of the result as is seen.
//
// It goes over rows and then over columns, with bytes in between and weights of 22 bits, as Pillow
// does: kAntialias is equal to Pillow's BILINEAR bit for bit. kBilinear is within one level of
// PyTorch's interpolate(mode="bilinear", align_corners=False), rounded.
#pragma once
#include <vector>

#include "data/view.h"

namespace orepa {

// Along an axis, which pixels of a source become each pixel of a result, and how much each counts.
class Weights {
 public:
  // `begin` and `end` are where the result, of `size` pixels, begins and ends in the source. What
  // is between is all that is looked at; a pixel that is cut counts whole. Only `count` pixels of
  // the result from `first` on are seen, in reverse order where `reverse` says so.
  void plan(Filter filter, double begin, double end, int64_t size, int64_t first, int64_t count,
            bool reverse);

  // The pixels of the source that are needed: [first(), first() + extent()).
  int64_t first() const { return first_; }
  int64_t extent() const { return extent_; }
  int64_t count() const { return static_cast<int64_t>(starts_.size()); }
  // Pixel i is the sum of weight(i)[t] / 2^22 times source pixel start(i) + t, counted from
  // first(), t < taps().
  int64_t taps() const { return taps_; }
  int64_t start(int64_t i) const { return starts_[static_cast<size_t>(i)]; }
  const int32_t* weights(int64_t i) const { return weights_.data() + i * taps_; }

 private:
  int64_t first_ = 0, extent_ = 0, taps_ = 0;
  std::vector<int64_t> starts_;
  std::vector<int32_t> weights_;
  std::vector<double> exact_;
};

class Resampler {
 public:
  // Bytes [top, top + height) x [left, left + width) of the source, in its pixels.
  struct Region {
    double top, left, height, width;
  };

  // What `seen` shows of `region` resized to `size`, flipped where it says so. Returns which pixels
  // of the source it takes. REQUIRES: seen is not empty and lies in size.
  Box plan(Filter filter, const Region& region, const Extent& size, const Box& seen, bool flip);

  // Writes them: seen.height rows, stride bytes apart. REQUIRES: `part` has the box that plan()
  // returned.
  void apply(const Part& part, unsigned char* out, int64_t stride);

 private:
  Box box_;
  Weights rows_, columns_;
  std::vector<unsigned char> narrow_;  // all rows of the source, all columns of the result
};

}  // namespace orepa
