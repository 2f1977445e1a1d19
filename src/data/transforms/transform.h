// Transform: one thing that happens to images (an entry of transform_param.transform). Each is one
// file here, a field of ImageTransform in proto/orepa.proto and a row in src/data/augment.cpp.
#pragma once
#include <cstdint>
#include <memory>

#include "data/plan.h"
#include "orepa/options.h"
#include "orepa/random.h"

namespace orepa {

class Transform {
 public:
  virtual ~Transform() = default;
  // Adds itself to the plan, behind those that are in it already. `random` belongs to this
  // transform and sample.
  virtual void plan(Plan& plan, const Random& random) const = 0;
  // Of those that stand behind each other, none may be of an earlier kind: only what is seen in
  // the end is decoded, and only that has colours.
  enum class Kind { kPlace, kColor, kErasing };
  virtual Kind kind() const { return Kind::kPlace; }
  virtual bool resizes() const { return false; }
};

// Each throws Error that names the field that is wrong.
std::unique_ptr<Transform> make_resize(const Options& options);
std::unique_ptr<Transform> make_crop(const Options& options, bool random);
std::unique_ptr<Transform> make_random_resized_crop(const Options& options);
std::unique_ptr<Transform> make_flip(const Options& options);
std::unique_ptr<Transform> make_color_jitter(const Options& options);
std::unique_ptr<Transform> make_lighting(const Options& options);
std::unique_ptr<Transform> make_random_erasing(const Options& options);

std::unique_ptr<Transform> make_resize(const Extent& size, Filter filter);
// Caffe's crop_size (0: none) and our own pad, of TransformationParameter itself.
std::unique_ptr<Transform> make_caffe_crop(int64_t crop_size, int64_t pad, bool random);
std::unique_ptr<Transform> make_flip(float probability);
// A window (Plan::sample) becomes size x size, `context` of them on each side from around it, of a
// square of the image or of one of the window's own shape. REQUIRES: size > 2 context.
std::unique_ptr<Transform> make_window_crop(int64_t size, int64_t context, bool square,
                                            bool mirror);

// Throws Error unless sound: "net.prototxt:3:7: NAME must BOUNDS, got VALUE".
double checked(const Options& options, const char* field, double value, bool sound,
               const char* bounds);
// `size` for a square, or height and width.
Extent extent_of(const Options& options);
Filter filter_of(const Options& options);      // `antialias`
float probability_of(const Options& options);  // `probability`

}  // namespace orepa
