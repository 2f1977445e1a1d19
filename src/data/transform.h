// What happens to an image between its source and the net (Caffe's transform_param):
//   y = (x - mean_value[c]) * scale,
// padded by `pad` pixels of the mean (so of zeros), then cropped to crop_size x crop_size. When it
// augments (phase TRAIN), the crop is at a random place and `mirror` flips every second image; else
// the crop is at the centre and nothing is flipped.
#pragma once
#include <vector>

#include "orepa/data_source.h"
#include "orepa/random.h"

namespace orepa {

class Transform {
 public:
  // A TransformationParameter. Throws Error where it does not fit the samples (C, H, W).
  Transform(const Options& transform_param, const Shape& sample, bool augment);

  const Shape& output_shape() const { return output_; }  // C, H, W
  // Writes output_shape().count() numbers, channels innermost. `random` belongs to this sample.
  void apply(const Sample& sample, const Random& random, float* out) const;

 private:
  Shape output_;
  bool augment_, mirror_;
  int64_t pad_;
  float scale_;
  std::vector<float> mean_;  // one a channel
};

}  // namespace orepa
