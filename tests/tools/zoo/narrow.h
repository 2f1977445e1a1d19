// Every network of the zoo with few channels and blocks, in every style that it has.
#pragma once
#include <vector>

#include "tools/zoo/models.h"

namespace orepa::zoo {

inline const std::vector<Model>& narrow_models() {
  static const std::vector<Model> models = {
      {"basic", "", ResNet{{2, 1, 1, 1}, false, 0.125}, {"plain", "dbb", "orepa"}},
      {"bottleneck", "", ResNet{{2, 1, 1, 1}, true, 0.125}, {"plain", "dbb", "orepa"}},
      {"grouped", "", ResNet{{1, 1, 1, 1}, true, 0.25, 4, 16}, {"plain", "orepa"}},
      {"repvgg",
       "",
       RepVgg{{1, 1, 2, 1}, {0.125, 0.125, 0.125, 0.125}},
       {"plain", "repvgg", "orepa_vgg"}},
      {"vgg16", "", Vgg16{0.125}, {"plain"}},
      {"mobilenet", "", MobileNet{0.125}, {"plain"}}};
  return models;
}

}  // namespace orepa::zoo
