// Parts in rows shorter and longer than what is copied at once, and more of them than one loop
// takes, against Arrangements.
#include "layers/parts.h"

#include <gtest/gtest.h>

#include "layers/part.h"

namespace orepa {
namespace {

struct Case {
  std::string name;
  int axis;
  std::vector<int64_t> extents;  // of the whole; along the axis, of the parts
  std::vector<int64_t> parts;

  Shape shape(int64_t extent) const {
    std::vector<int64_t> changed = extents;
    changed[static_cast<size_t>(axis)] = extent;
    return Shape(std::move(changed));
  }
};

std::vector<Case> cases() {
  return {{"channels", 1, {3, 0, 20, 9}, {5, 64, 1}},
          {"images", 0, {0, 4, 13, 30}, {1, 3}},
          {"columns", 3, {2, 5, 4, 0}, {7, 300, 9}},
          {"long rows", 1, {3, 0}, {2500, 1, 1024}},
          {"many parts", 1, {7, 0}, std::vector<int64_t>(35, 3)}};
}

// Numbers as they are stored: those that are filled are not 0.
struct Memory {
  std::vector<uint16_t> stored;
  Tensor tensor;
  Memory(const Shape& shape, DType type, bool filled)
      : stored(static_cast<size_t>(shape.bytes(type) / 2)), tensor{stored.data(), shape, type} {
    for (size_t i = 0; filled && i < stored.size(); ++i)
      stored[i] = static_cast<uint16_t>(1 + i % 65521);
  }
  Memory(const Memory&) = delete;
};

class PartsOf : public testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Types, PartsOf, testing::Values(DType::kFloat32, DType::kBFloat16));

TEST_P(PartsOf, AreCutAndJoined) {
  const auto device = make_device("cpu");
  for (const Case& c : cases()) {
    int64_t extent = 0;
    std::vector<Shape> shapes;
    for (const int64_t part : c.parts) {
      extent += part;
      shapes.push_back(c.shape(part));
    }
    const Memory whole(c.shape(extent), GetParam(), true);
    std::vector<std::unique_ptr<Memory>> memory;
    std::vector<Tensor> tensors;
    for (const Shape& shape : shapes) {
      memory.push_back(std::make_unique<Memory>(shape, GetParam(), false));
      tensors.push_back(memory.back()->tensor);
    }
    tensors[1] = {};  // nobody wants it
    const Parts parts(c.axis, whole.tensor.shape, shapes);
    parts.cut(*device, whole.tensor, tensors);

    const Memory joined(whole.tensor.shape, GetParam(), false);
    parts.join(*device, tensors, joined.tensor);
    const Memory expected(whole.tensor.shape, GetParam(), false);
    std::vector<int64_t> begin(c.extents.size(), 0);
    for (size_t p = 0; p < shapes.size(); begin[static_cast<size_t>(c.axis)] += c.parts[p++]) {
      const Memory part(shapes[p], GetParam(), false);
      const Arrangement arrangement = part_of(whole.tensor.shape, shapes[p], begin);
      if (p != 1) arrangement.gather(*device, whole.tensor, part.tensor);
      EXPECT_EQ(memory[p]->stored, part.stored) << c.name << ", part " << p;
      arrangement.scatter(*device, part.tensor, expected.tensor);
    }
    EXPECT_EQ(joined.stored, expected.stored) << c.name;
  }
}

}  // namespace
}  // namespace orepa
