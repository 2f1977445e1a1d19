// SampleLoader: from a sample of a source to a row of a batch. One a thread.
#pragma once
#include "data/augment.h"
#include "data/decoder.h"
#include "data/frame.h"
#include "orepa/data_source.h"

namespace orepa {

// What all images of a batch have alike: H x W x C, of bytes or of float32.
struct ImageFormat {
  int64_t channels = 0;
  Extent extent;
  bool numbers = false;
  ColorOrder order = ColorOrder::kBgr;  // of what is decoded

  int64_t count() const { return extent.height * extent.width * channels; }
  int64_t bytes() const { return count() * (numbers ? 4 : 1); }
};

// Of the first sample that can be read. Decoded images have as many channels as it has where
// `as_stored` and the augmentation does not say, else three.
ImageFormat image_format(const DataSource& source, const Augment& augment, bool as_stored);

class SampleLoader {
 public:
  // Both must outlive it.
  SampleLoader(const DataSource& source, const Augment& augment, const ImageFormat& format);

  // Writes format.bytes() to `image`. `walked` samples come before it, which says what happens to
  // it. Throws Error that names the sample.
  void load(int64_t sample, int64_t walked, unsigned char* image, Frame& frame, float& label);

 private:
  // Of record_, of which decoder_ has begun with a file.
  Extent open();
  void load_numbers(float* image) const;

  const DataSource& source_;
  const Augment& augment_;
  ImageFormat format_;
  Decoder decoder_;
  Record record_;
  Plan plan_;
};

}  // namespace orepa
