// The networks of the zoo as plain nets: from an image with 3 channels to logits. Layers are called
// after the modules of the published code.
#pragma once
#include <array>
#include <string>

#include "net_builder.h"

namespace orepa::zoo {

// ResNet (He et al., CVPR 2016) with basic or bottleneck blocks, ResNeXt (Xie et al., CVPR 2017).
struct ResNet {
  std::array<int, 4> blocks;  // in every stage
  bool bottleneck = false;
  double width = 1;                  // times the published number of channels
  int groups = 1, group_width = 64;  // of the bottleneck's 3 x 3; ResNeXt's 32x4d: 32 and 4
};

// RepVGG (Ding et al., CVPR 2021).
struct RepVgg {
  std::array<int, 4> blocks;
  std::array<double, 4> width;  // times 64, 128, 256, 512 channels
};

// VGG-16 (Simonyan and Zisserman, ICLR 2015), configuration D.
struct Vgg16 {
  double width = 1;  // times the published number of channels and units
};

// MobileNet (Howard et al., 2017).
struct MobileNet {
  double width = 1;  // times the published number of channels
};

// Each returns the name of the logits.
std::string add(NetBuilder& net, const ResNet& network, const std::string& image, int classes);
std::string add(NetBuilder& net, const RepVgg& network, const std::string& image, int classes);
std::string add(NetBuilder& net, const Vgg16& network, const std::string& image, int classes);
std::string add(NetBuilder& net, const MobileNet& network, const std::string& image, int classes);

}  // namespace orepa::zoo
