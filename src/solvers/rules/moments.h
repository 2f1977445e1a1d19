// The means of the gradient and of its square that Adam and its kin keep (Kingma and Ba, ICLR
// 2015): m = mu m + (1 - mu) g in the first history, v = mu2 v + (1 - mu2) g^2 in the second.
#pragma once
#include "orepa/update_rule.h"

namespace orepa {

struct Moments {
  Update u;

  OREPA_HD void add(int64_t i, float g, const StepScale& step) const {
    u.first(i) = step.rule.momentum * u.first(i) + (1 - step.rule.momentum) * g;
    u.second(i) = step.rule.momentum2 * u.second(i) + (1 - step.rule.momentum2) * g * g;
  }
  // m / (sqrt(v) + delta), of means that no longer lean to the 0 that they began with.
  OREPA_HD float change(int64_t i, const StepScale& step) const {
    const float m = u.first(i) / static_cast<float>(step.bias1);
    const float v = u.second(i) / static_cast<float>(step.bias2);
    return m / (sqrtf(v) + step.rule.delta);
  }
};

}  // namespace orepa
