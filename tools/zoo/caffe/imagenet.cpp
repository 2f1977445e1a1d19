#include "caffe_networks.h"
#include "orepa/error.h"

namespace orepa::zoo {

std::string add_imagenet(CaffeNet& net, const ImageNet& images) {
  const auto layer = [&](const std::string& mirror, const std::string& set, int batch) {
    return text("transform_param { ", mirror, " crop_size: ", images.size, " ", images.transform,
                " } data_param { source: 'examples/imagenet/ilsvrc12_", set,
                "_lmdb' batch_size: ", batch, " backend: LMDB }");
  };
  net.data({{"data", {images.batch, 3, images.size, images.size}}, {"label", {images.batch}, 7}},
           {"Data", layer("mirror: true", "train", images.batch), layer("", "val", 50)});
  return "data";
}

}  // namespace orepa::zoo
