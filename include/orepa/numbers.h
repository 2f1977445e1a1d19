// Numbers: how functors read and write activations of either type. They compute in float32; what
// they write is rounded to the nearest, ties to even.
//
// All numbers of a layer have one type, which does not change inside a loop, so that the compiler
// makes a loop of each (docs/performance.md, "Two precisions").
#pragma once
#include <cstdint>
#include <cstring>

#include "orepa/parallel.h"
#include "orepa/tensor.h"

namespace orepa {

struct BFloat16 {
  uint16_t bits;

  OREPA_HD static BFloat16 of(float value) {
    uint32_t whole;
    memcpy(&whole, &value, sizeof whole);
    const uint32_t rounded = whole + 0x7fff + (whole >> 16 & 1);
    const uint32_t kept = value == value ? rounded : whole | 0x400000;  // NaN stays one
    return {static_cast<uint16_t>(kept >> 16)};
  }
  OREPA_HD float value() const {
    const uint32_t whole = static_cast<uint32_t>(bits) << 16;
    float value;
    memcpy(&value, &whole, sizeof value);
    return value;
  }
};

// Of a tensor, or none: then `if` fails.
struct Numbers {
  void* data = nullptr;
  DType type = DType::kFloat32;

  Numbers() = default;
  Numbers(const Tensor& tensor) : data(tensor.data), type(tensor.type) {}

  OREPA_HD float operator[](int64_t i) const {
    return type == DType::kFloat32 ? static_cast<const float*>(data)[i]
                                   : static_cast<const BFloat16*>(data)[i].value();
  }
  OREPA_HD void set(int64_t i, float value) const {
    if (type == DType::kFloat32)
      static_cast<float*>(data)[i] = value;
    else
      static_cast<BFloat16*>(data)[i] = BFloat16::of(value);
  }
};

}  // namespace orepa
