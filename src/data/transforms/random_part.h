// A part of an image of random area and shape.
#pragma once
#include <cmath>

#include "data/transforms/transform.h"

namespace orepa {

struct RandomPart {
  float least_area, most_area;      // shares of the image
  float least_aspect, most_aspect;  // width / height

  // Fields min_area, max_area, min_aspect, max_aspect.
  explicit RandomPart(const Options& options)
      : least_area(number(options, "min_area")),
        most_area(number(options, "max_area")),
        least_aspect(number(options, "min_aspect")),
        most_aspect(number(options, "max_aspect")) {
    checked(options, "max_area", most_area, most_area >= least_area && most_area <= 1,
            "lie between min_area and 1, all of the image");
    checked(options, "max_aspect", most_aspect, most_aspect >= least_aspect,
            "not be smaller than min_aspect");
  }

  // The log of the aspect is even, as torchvision has it. Takes numbers first and first + 1.
  Extent draw(const Extent& of, const Random& random, uint64_t first) const {
    const double area =
        static_cast<double>(of.height * of.width) * random.uniform(first, least_area, most_area);
    const double aspect =
        std::exp(random.uniform(first + 1, std::log(least_aspect), std::log(most_aspect)));
    return {std::llround(std::sqrt(area / aspect)), std::llround(std::sqrt(area * aspect))};
  }

 private:
  static float number(const Options& options, const char* field) {
    const double value = options.number(field);
    return static_cast<float>(checked(options, field, value, value > 0, "be positive"));
  }
};

}  // namespace orepa
