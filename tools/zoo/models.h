// The zoo: the models that lie under models/. Each is built plain; reparam() (orepa/reparam.h)
// makes its styles.
#pragma once
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "networks.h"
#include "orepa/model_io.h"

namespace orepa::zoo {

using Network = std::variant<ResNet, RepVgg, Vgg16, MobileNet>;

struct Model {
  std::string name;   // of the folder: "resnet18"
  std::string title;  // for people: "ResNet-18 (He et al., CVPR 2016)"
  Network network;
  std::vector<std::string> styles;  // "plain" first, the others as reparam() calls them
};

// The net, made of that network, in one of the styles.
NetSpec in_style(const NetParameter& plain, const Network& network, const std::string& style);

// From the blob `image` to the logits, whose name is returned.
std::string add(NetBuilder& net, const Network& network, const std::string& image, int classes);

// What a net reads and how many classes it tells apart.
struct Task {
  int batch = 16, size = 224, classes = 1000;  // ImageNet's; images are square
};

const std::vector<Model>& models();
// Throws Error where there is none of that name.
const Model& model(const std::string& name);

// Made-up data, the network, loss and accuracies, under the name NAME_STYLE.
NetSpec train_val(const Model& model, const std::string& style, const Task& task = {});

// What `orepa_tool convert` makes of it, without weights: BatchNorm folded into the convolutions,
// an Input of one image instead of data and labels, only what stock Caffe readers know.
NetSpec deploy(const Model& model, const std::string& style, const Task& task = {});

// Every file of the zoo: its content by its path under models/.
std::map<std::string, std::string> files();

}  // namespace orepa::zoo
