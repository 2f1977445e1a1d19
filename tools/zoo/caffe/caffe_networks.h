// The networks of models/caffe. Layers and blobs are called as in the files of weights that are
// public, so that those load by name.
#pragma once
#include "caffe_net.h"

namespace orepa::zoo {

// Caffe's examples (mnist, cifar10, siamese).
void write_lenet(CaffeNet& net);
void write_cifar10_full(CaffeNet& net);
void write_siamese(CaffeNet& net);

// BVLC's models.
void write_alexnet(CaffeNet& net);
void write_caffenet(CaffeNet& net);
void write_googlenet(CaffeNet& net);

void write_vgg16(CaffeNet& net);
void write_resnet50(CaffeNet& net);
void write_squeezenet_1_0(CaffeNet& net);
void write_squeezenet_1_1(CaffeNet& net);
void write_mobilenet_v1(CaffeNet& net);
void write_mobilenet_v2(CaffeNet& net);
void write_densenet121(CaffeNet& net);
void write_fcn8s(CaffeNet& net);
void write_lrcn(CaffeNet& net);

// The cascade of MTCNN, for use only.
void write_mtcnn_pnet(CaffeNet& net);
void write_mtcnn_rnet(CaffeNet& net);
void write_mtcnn_onet(CaffeNet& net);

// What several of them have.

// The convolutions and pools of VGG-16; returns every stage's pool.
std::vector<std::string> add_vgg16_stages(CaffeNet& net, const std::string& image, int pad);
// CaffeNet from the image to fc8.
std::string add_caffenet(CaffeNet& net, const std::string& image);

// Images of ImageNet in LMDB, from which the mean is subtracted.
struct ImageNet {
  int size, batch;
  std::string transform = "mean_value: 104 mean_value: 117 mean_value: 123";  // blue, green, red
};
// Returns the image's blob.
std::string add_imagenet(CaffeNet& net, const ImageNet& images);

}  // namespace orepa::zoo
