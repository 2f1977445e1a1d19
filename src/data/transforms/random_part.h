// A part of an image of random area and shape.
#pragma once
#include <cmath>
#include <optional>

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

  // A part of `of`, no larger than `most`; ten are drawn until one fits. The log of the aspect is
  // even, as torchvision has it. Takes 40 numbers from `first` on.
  std::optional<Box> draw(const Extent& of, const Extent& most, const Random& random,
                          uint64_t first) const {
    const auto place = [&](uint64_t i, int64_t free) {
      return static_cast<int64_t>(random.below(i, static_cast<uint64_t>(free) + 1));
    };
    for (const uint64_t end = first + 40; first < end; first += 4) {
      const double area =
          static_cast<double>(of.height * of.width) * random.uniform(first, least_area, most_area);
      const double aspect =
          std::exp(random.uniform(first + 1, std::log(least_aspect), std::log(most_aspect)));
      const int64_t height = std::llround(std::sqrt(area / aspect));
      const int64_t width = std::llround(std::sqrt(area * aspect));
      if (height < 1 || width < 1 || height > most.height || width > most.width) continue;
      return Box{place(first + 2, of.height - height), place(first + 3, of.width - width), height,
                 width};
    }
    return std::nullopt;
  }

 private:
  static float number(const Options& options, const char* field) {
    const double value = options.number(field);
    return static_cast<float>(checked(options, field, value, value > 0, "be positive"));
  }
};

}  // namespace orepa
