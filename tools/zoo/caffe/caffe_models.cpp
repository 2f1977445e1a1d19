#include "caffe_models.h"

#include "../solvers.h"
#include "io/text/print_text.h"
#include "orepa/error.h"

namespace orepa::zoo {
namespace {

// Recipes as published, for batches of as many images as there; of larger ones `iter_size` makes
// the step.
const std::string kMnist = R"(base_lr: 0.01
momentum: 0.9
weight_decay: 0.0005
lr_policy: "inv"
gamma: 0.0001
power: 0.75
max_iter: 10000
test_interval: 500
test_iter: 100
snapshot: 5000
)";
const std::string kCifar10 = R"(base_lr: 0.001
momentum: 0.9
weight_decay: 0.004
lr_policy: "multistep"
gamma: 0.1
stepvalue: 60000
stepvalue: 65000
max_iter: 70000
test_interval: 1000
test_iter: 100
snapshot: 10000
)";
const std::string kTest = R"(test_interval: 1000
test_iter: 1000
test_initialization: false
snapshot: 10000
)";
// 256 images a step.
const std::string kAlexNet = R"(base_lr: 0.01
momentum: 0.9
weight_decay: 0.0005
lr_policy: "step"
gamma: 0.1
stepsize: 100000
max_iter: 450000
iter_size: 16
)" + kTest;
// 32 images a step.
const std::string kGoogLeNet = R"(base_lr: 0.01
momentum: 0.9
weight_decay: 0.0002
lr_policy: "poly"
power: 0.5
max_iter: 2400000
iter_size: 2
)" + kTest;
const std::string kVgg = R"(base_lr: 0.01
momentum: 0.9
weight_decay: 0.0005
lr_policy: "step"
gamma: 0.1
stepsize: 100000
max_iter: 370000
iter_size: 16
)" + kTest;
const std::string kResNet = R"(base_lr: 0.1
momentum: 0.9
weight_decay: 0.0001
lr_policy: "multistep"
gamma: 0.1
stepvalue: 150000
stepvalue: 300000
stepvalue: 450000
max_iter: 600000
iter_size: 16
)" + kTest;
// 512 images a step.
const std::string kSqueezeNet = R"(base_lr: 0.04
momentum: 0.9
weight_decay: 0.0002
lr_policy: "poly"
power: 1
max_iter: 170000
iter_size: 32
)" + kTest;
const std::string kMobileNet = R"(base_lr: 0.1
momentum: 0.9
weight_decay: 0.0001
lr_policy: "poly"
power: 1
max_iter: 500000
iter_size: 16
)" + kTest;
const std::string kFcn = R"(base_lr: 1e-10
momentum: 0.99
weight_decay: 0.0005
lr_policy: "fixed"
max_iter: 100000
test_interval: 4000
test_iter: 736
test_initialization: false
snapshot: 4000
)";
const std::string kLrcn = R"(base_lr: 0.01
momentum: 0.9
lr_policy: "step"
gamma: 0.5
stepsize: 20000
max_iter: 110000
clip_gradients: 10
test_interval: 1000
test_iter: 25
snapshot: 5000
)";

constexpr const char* kWords =
    "Caffe's own fields only; layers and blobs are called as in the public files of weights.\n";
constexpr const char* kData =
    "In the stage \"images\", which its solver sets, it reads data; without, for timing, the input "
    "is "
    "made up.\n";

std::string comment(const CaffeModel& model, CaffeNet::File file) {
  return model.title + (file == CaffeNet::File::kDeploy ? ", for use" : "") + ".\n" + kWords +
         (file == CaffeNet::File::kTrainVal ? kData : "") + kGenerated;
}

std::string solver(const CaffeModel& model) {
  return comment_lines(model.title + ".\n" + kGenerated) + "net: \"models/caffe/" + model.name +
         "/train_val.prototxt\"\n" + model.recipe +
         "train_state { stage: \"images\" }\ntest_state { stage: \"images\" }\nrandom_seed: 1\n"
         "snapshot_prefix: \"runs/caffe_" +
         model.name + "/" + model.name + "\"\n";
}

}  // namespace

const std::vector<CaffeModel>& caffe_models() {
  static const std::vector<CaffeModel> all = {
      {"lenet", "LeNet of Caffe's example mnist", write_lenet, kMnist},
      {"cifar10_full", "The full net of Caffe's example cifar10", write_cifar10_full, kCifar10},
      {"siamese", "The siamese net of Caffe's example siamese, on pairs of digits", write_siamese,
       kMnist},
      {"alexnet", "AlexNet (Krizhevsky et al., NIPS 2012) as BVLC's", write_alexnet, kAlexNet},
      {"caffenet", "CaffeNet, BVLC's reference net", write_caffenet, kAlexNet},
      {"googlenet", "GoogLeNet (Szegedy et al., CVPR 2015) as BVLC's", write_googlenet, kGoogLeNet},
      {"vgg16", "VGG-16 (Simonyan and Zisserman, ICLR 2015)", write_vgg16, kVgg},
      {"resnet50", "ResNet-50 (He et al., CVPR 2016) as its authors' for Caffe", write_resnet50,
       kResNet},
      {"squeezenet_1.0", "SqueezeNet 1.0 (Iandola et al., arXiv 1602.07360)", write_squeezenet_1_0,
       kSqueezeNet},
      {"squeezenet_1.1", "SqueezeNet 1.1 (Iandola et al.)", write_squeezenet_1_1, kSqueezeNet},
      {"mobilenet_v1", "MobileNet (Howard et al., arXiv 1704.04861)", write_mobilenet_v1,
       kMobileNet},
      {"mobilenet_v2", "MobileNet v2 (Sandler et al., CVPR 2018)", write_mobilenet_v2, kMobileNet},
      {"densenet121",
       "DenseNet-121 (Huang et al., CVPR 2017), with a pool that Caffe 1.0 has no field for: "
       "round_mode",
       write_densenet121, kResNet},
      {"fcn8s", "FCN-8s (Long et al., CVPR 2015) on VGG-16", write_fcn8s, kFcn},
      {"lrcn", "LRCN for captions (Donahue et al., CVPR 2015) on CaffeNet", write_lrcn, kLrcn},
      {"mtcnn_pnet", "P-Net of MTCNN (Zhang et al., 2016)", write_mtcnn_pnet, ""},
      {"mtcnn_rnet", "R-Net of MTCNN (Zhang et al., 2016)", write_mtcnn_rnet, ""},
      {"mtcnn_onet", "O-Net of MTCNN (Zhang et al., 2016)", write_mtcnn_onet, ""}};
  return all;
}

const CaffeModel& caffe_model(const std::string& name) {
  std::vector<std::string> known;
  for (const CaffeModel& model : caffe_models()) {
    if (model.name == name) return model;
    known.push_back(model.name);
  }
  fail("models/caffe has no model \"", name, "\"", did_you_mean(name, known));
}

NetSpec caffe_net(const CaffeModel& model, CaffeNet::File file, double width) {
  CaffeNet net(model.name, file, width);
  model.write(net);
  return NetSpec(net.net(), model.name);
}

std::map<std::string, std::string> caffe_files() {
  std::map<std::string, std::string> all;
  for (const CaffeModel& model : caffe_models()) {
    const std::string folder = "caffe/" + model.name + "/";
    const auto print = [&](CaffeNet::File file) {
      return print_text(caffe_net(model, file).proto(), comment(model, file));
    };
    all[folder + "deploy.prototxt"] = print(CaffeNet::File::kDeploy);
    if (model.recipe.empty()) continue;
    all[folder + "train_val.prototxt"] = print(CaffeNet::File::kTrainVal);
    all[folder + "solver.prototxt"] = solver(model);
  }
  return all;
}

}  // namespace orepa::zoo
