#include "models.h"

#include <algorithm>

#include "caffe/caffe_models.h"
#include "io/text/print_text.h"
#include "orepa/error.h"
#include "orepa/reparam.h"
#include "solvers.h"

namespace orepa::zoo {
namespace {

const std::vector<std::string> kPlain = {"plain"}, kOrepa = {"plain", "orepa"},
                               kDbb = {"plain", "dbb", "orepa"},
                               kRepVgg = {"plain", "repvgg", "orepa_vgg"};

// What the style makes of a model, for the comment in front of a file.
const std::map<std::string, std::string> kStyles = {
    {"plain", "plain"},
    {"dbb", "with Diverse Branch Blocks (Ding et al., CVPR 2021)"},
    {"orepa", "re-parameterised with OREPA (Hu et al., CVPR 2022)"},
    {"repvgg", "with the published blocks of three branches"},
    {"orepa_vgg", "its 3 x 3 branches re-parameterised with OREPA (Hu et al., CVPR 2022)"}};

// As published: the shortcuts of basic blocks stay as they are, those of bottlenecks do not.
std::string stays_plain(const Network& network) {
  const ResNet* resnet = std::get_if<ResNet>(&network);
  return resnet != nullptr && !resnet->bottleneck ? ".*\\.shortcut" : "";
}

// Of grey levels, as torchvision's models have them for R, G and B between 0 and 1.
constexpr float kMean[] = {123.675f, 116.28f, 103.53f}, kDeviation[] = {58.395f, 57.12f, 57.375f};
constexpr const char* kImages = "images";  // the stage that reads them

// A Data layer over one folder a class, but for what happens to the images.
TransformationParameter& add_images(NetBuilder& net, NetPhase phase, const std::string& folder,
                                    int batch) {
  LayerParameter& data = net.add("data", "Data", {}, "data");
  data.add_top("label");
  NetStateRule& when = *data.add_include();
  when.set_phase(phase);
  when.add_stage(kImages);
  DataParameter& source = *data.mutable_data_param();
  source.set_backend(DataParameter::FOLDER);
  source.set_source(folder);
  source.set_batch_size(static_cast<uint32_t>(batch));
  data.mutable_transform_param()->set_color_order(TransformationParameter::RGB);
  return *data.mutable_transform_param();
}

void add_normalization(TransformationParameter& transforms) {
  NormalizationParameter& normal = *transforms.add_transform()->mutable_normalize();
  for (const float mean : kMean) normal.add_mean(mean);
  for (const float deviation : kDeviation) normal.add_deviation(deviation);
}

// What the published code trains and tests on, and numbers without any files.
void add_data(NetBuilder& net, const Task& task) {
  const auto size = static_cast<uint32_t>(task.size);
  TransformationParameter& train =
      add_images(net, orepa::TRAIN, "imagenet/train", static_cast<int>(task.batch));
  train.add_transform()->mutable_random_resized_crop()->set_size(size);
  train.add_transform()->mutable_flip();
  add_normalization(train);
  TransformationParameter& test = add_images(net, orepa::TEST, "imagenet/val", 50);
  test.add_transform()->mutable_resize()->set_shorter_side(size * 8 / 7);
  test.add_transform()->mutable_center_crop()->set_size(size);
  add_normalization(test);

  LayerParameter& data = net.add("data", "DummyData", {}, "data");
  data.add_top("label");
  data.add_include()->add_not_stage(kImages);
  DummyDataParameter& dummy = *data.mutable_dummy_data_param();
  BlobShape& images = *dummy.add_shape();
  for (const int extent : {task.batch, 3, task.size, task.size}) images.add_dim(extent);
  dummy.add_shape()->add_dim(task.batch);
  dummy.add_data_filler()->set_type("gaussian");
  FillerParameter& label = *dummy.add_data_filler();
  label.set_type("constant");
  label.set_value(7);
}

void add_accuracy(NetBuilder& net, const std::string& name, const std::string& logits, int top_k) {
  LayerParameter& accuracy = net.add(name, "Accuracy", {logits, "label"}, name);
  accuracy.add_include()->set_phase(TEST);
  if (top_k > 1) accuracy.mutable_accuracy_param()->set_top_k(static_cast<uint32_t>(top_k));
}

std::string comment(const Model& model, const std::string& style) {
  std::string about =
      model.title + ", " + kStyles.at(style) + ".\n" +
      "Layers are called after the published modules. In the stage \"images\", which its "
      "solver sets, it reads\nImageNet or any set like it (orepa_tool train --data DIR: DIR/train "
      "and "
      "DIR/val, a folder a class); without,\nfor timing, the input is made up.\n";
  if (std::holds_alternative<ResNet>(model.network))
    about += "The stem's pool rounds down, 112 -> 56, as in the published network.\n";
  return about + kGenerated;
}

std::string deploy_comment(const Model& model, const std::string& style) {
  std::string about =
      model.title + ", the plain network for use, as `orepa_tool convert` writes it from\nmodels/" +
      model.name + "/" + style + "/train_val.prototxt.\n";
  if (std::holds_alternative<ResNet>(model.network))
    about +=
        "stage0.pool_stride1 and stage0.pool, a convolution with ones, are the stem's pool: it "
        "rounds "
        "down, Caffe's up.\n";
  return about + kGenerated;
}

}  // namespace

const std::vector<Model>& models() {
  static const std::vector<Model> all = {
      {"resnet18", "ResNet-18 (He et al., CVPR 2016)", ResNet{{2, 2, 2, 2}}, kDbb},
      {"resnet34", "ResNet-34 (He et al., CVPR 2016)", ResNet{{3, 4, 6, 3}}, kDbb},
      {"resnet50", "ResNet-50 (He et al., CVPR 2016)", ResNet{{3, 4, 6, 3}, true}, kDbb},
      {"resnet101", "ResNet-101 (He et al., CVPR 2016)", ResNet{{3, 4, 23, 3}, true}, kDbb},
      {"resnet18_1.5x", "ResNet-18 (He et al., CVPR 2016) of 1.5 times the width",
       ResNet{{2, 2, 2, 2}, false, 1.5}, kOrepa},
      {"resnet18_2x", "ResNet-18 (He et al., CVPR 2016) of twice the width",
       ResNet{{2, 2, 2, 2}, false, 2}, kOrepa},
      {"resnext50_32x4d", "ResNeXt-50 32x4d (Xie et al., CVPR 2017)",
       ResNet{{3, 4, 6, 3}, true, 1, 32, 4}, kOrepa},
      {"repvgg_a0", "RepVGG-A0 (Ding et al., CVPR 2021)",
       RepVgg{{2, 4, 14, 1}, {0.75, 0.75, 0.75, 2.5}}, kRepVgg},
      {"repvgg_a1", "RepVGG-A1 (Ding et al., CVPR 2021)", RepVgg{{2, 4, 14, 1}, {1, 1, 1, 2.5}},
       kRepVgg},
      {"repvgg_a2", "RepVGG-A2 (Ding et al., CVPR 2021)",
       RepVgg{{2, 4, 14, 1}, {1.5, 1.5, 1.5, 2.75}}, kRepVgg},
      {"repvgg_b1", "RepVGG-B1 (Ding et al., CVPR 2021)", RepVgg{{4, 6, 16, 1}, {2, 2, 2, 4}},
       kRepVgg},
      {"vgg16", "VGG-16 (Simonyan and Zisserman, ICLR 2015)", Vgg16{}, kPlain},
      {"mobilenet_v1", "MobileNet (Howard et al., arXiv 1704.04861)", MobileNet{}, kPlain}};
  return all;
}

const Model& model(const std::string& name) {
  std::vector<std::string> known;
  for (const Model& model : models()) {
    if (model.name == name) return model;
    known.push_back(model.name);
  }
  fail("the zoo has no model \"", name, "\"", did_you_mean(name, known));
}

NetSpec in_style(const NetParameter& plain, const Network& network, const std::string& style) {
  NetSpec net(plain, plain.name());
  if (style == "plain") return net;
  return reparam(net, {style, "", stays_plain(network)});
}

std::string add(NetBuilder& net, const Network& network, const std::string& image, int classes) {
  return std::visit([&](const auto& kind) { return add(net, kind, image, classes); }, network);
}

NetSpec train_val(const Model& model, const std::string& style, const Task& task) {
  NetBuilder net(model.name + "_" + style);
  add_data(net, task);
  const std::string logits = add(net, model.network, "data", task.classes);
  net.add("loss", "SoftmaxWithLoss", {logits, "label"}, "loss");
  add_accuracy(net, "accuracy", logits, 1);
  add_accuracy(net, "accuracy_top5", logits, 5);
  return in_style(net.net(), model.network, style);
}

std::map<std::string, std::string> files() {
  std::map<std::string, std::string> all = caffe_files();
  for (const Model& model : models()) {
    for (const std::string& style : model.styles) {
      const std::string folder = model.name + "/" + style + "/";
      all[folder + "train_val.prototxt"] =
          print_text(train_val(model, style).proto(), comment(model, style));
      all[folder + "solver.prototxt"] = solver(model, style);
      all[folder + "deploy.prototxt"] =
          print_text(deploy(model, style).proto(), deploy_comment(model, style));
    }
  }
  return all;
}

}  // namespace orepa::zoo
