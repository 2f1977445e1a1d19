// Arrangements larger than the blocks in which they are moved, against plain loops.
#include "layers/arrangement.h"

#include <gtest/gtest.h>

#include "orepa/numbers.h"

namespace orepa {
namespace {

using Axis = Arrangement::Axis;

struct Case {
  std::string name;
  std::vector<Axis> axes;
  int64_t source, target;  // how many numbers they have
  int64_t begin = 0;
};

std::vector<Case> cases() {
  return {
      {"images to rows",
       {{2, 77 * 45, 77 * 45}, {77, 45, 1}, {45, 1, 77}},
       2 * 77 * 45,
       2 * 77 * 45},
      {"rows to images",
       {{2, 77 * 45, 77 * 45}, {77, 1, 45}, {45, 77, 1}},
       2 * 77 * 45,
       2 * 77 * 45},
      {"groups of channels", {{500, 35, 35}, {5, 7, 1}, {7, 1, 5}}, 500 * 35, 500 * 35},
      {"a part of the channels", {{1100, 9, 4}, {4, 1, 1}}, 1100 * 9, 1100 * 4, 5},
      {"a part of long rows", {{3, 5000, 2500}, {2500, 1, 1}}, 3 * 5000, 3 * 2500, 1000},
      {"pixels, twice", {{70, 3, 12}, {2, 0, 6}, {2, 0, 3}, {3, 1, 1}}, 70 * 3, 70 * 12},
      {"many channels, twice", {{40, 150, 300}, {2, 0, 150}, {150, 1, 1}}, 40 * 150, 40 * 300},
      {"numbers, thrice", {{1500, 1, 3}, {3, 0, 1}}, 1500, 4500},
      {"every second number", {{1500, 2, 1}}, 3000, 1500},
      {"one number", {{1, 1, 1}}, 1, 1},
  };
}

// f(place in the source, place in the target) of all numbers.
template <class F>
void each(const std::vector<Axis>& axes, size_t axis, int64_t source, int64_t target, const F& f) {
  if (axis == axes.size()) return f(source, target);
  for (int64_t k = 0; k < axes[axis].extent; ++k)
    each(axes, axis + 1, source + k * axes[axis].source, target + k * axes[axis].target, f);
}

// Whole numbers that bfloat16 has too.
std::vector<float> numbers(int64_t count) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(i * 7919 % 61 - 30));
  return values;
}

struct Memory {
  std::vector<float> floats;
  std::vector<BFloat16> halves;
  DType type;
  Memory(const std::vector<float>& values, DType type) : floats(values), type(type) {
    for (const float value : values) halves.push_back(BFloat16::of(value));
  }
  Tensor tensor() {
    void* data = type == DType::kFloat32 ? static_cast<void*>(floats.data()) : halves.data();
    return {data, {static_cast<int64_t>(floats.size())}, type};
  }
  std::vector<float> values() const {
    if (type == DType::kFloat32) return floats;
    std::vector<float> values;
    for (const BFloat16 half : halves) values.push_back(half.value());
    return values;
  }
};

class ArrangementOf : public testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Types, ArrangementOf, testing::Values(DType::kFloat32, DType::kBFloat16));

TEST_P(ArrangementOf, BlocksGathers) {
  const auto device = make_device("cpu");
  for (const Case& c : cases()) {
    Memory source(numbers(c.source), GetParam()),
        target(std::vector<float>(c.target, 99), GetParam());
    std::vector<float> expected(static_cast<size_t>(c.target), 99);
    each(c.axes, 0, c.begin, 0, [&](int64_t from, int64_t to) {
      expected[static_cast<size_t>(to)] = source.floats[static_cast<size_t>(from)];
    });
    Arrangement(c.axes, c.begin).gather(*device, source.tensor(), target.tensor());
    EXPECT_EQ(target.values(), expected) << c.name;
  }
}

TEST_P(ArrangementOf, BlocksScatters) {
  const auto device = make_device("cpu");
  for (const Case& c : cases()) {
    Memory source(std::vector<float>(c.source, 99), GetParam()),
        target(numbers(c.target), GetParam());
    std::vector<float> expected = source.floats;
    each(c.axes, 0, c.begin, 0,
         [&](int64_t to, int64_t) { expected[static_cast<size_t>(to)] = 0; });
    each(c.axes, 0, c.begin, 0, [&](int64_t to, int64_t from) {
      expected[static_cast<size_t>(to)] += target.floats[static_cast<size_t>(from)];
    });
    Arrangement(c.axes, c.begin).scatter(*device, target.tensor(), source.tensor());
    EXPECT_EQ(source.values(), expected) << c.name;
  }
}

}  // namespace
}  // namespace orepa
