// VGG-16 (Simonyan and Zisserman, ICLR 2015), and the net for segmentation that was made of it.
#include "caffe_networks.h"
#include "orepa/error.h"

namespace orepa::zoo {
namespace {

constexpr const char* kFillers =
    " weight_filler { type: 'xavier' } bias_filler { type: 'constant' }";

}  // namespace

std::vector<std::string> add_vgg16_stages(CaffeNet& net, const std::string& image, int pad) {
  constexpr struct {
    int convolutions, outputs;
  } kStages[] = {{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}};
  std::vector<std::string> pools;
  std::string blob = image;
  int number = 0;
  for (const auto& stage : kStages) {
    ++number;
    for (int i = 1; i <= stage.convolutions; ++i) {
      const std::string place = text(number, "_", i);
      blob = net.convolution("conv" + place, blob, stage.outputs,
                             text("pad: ", place == "1_1" ? pad : 1, " kernel_size: 3", kFillers));
      net.relu("relu" + place, blob);
    }
    blob = net.max_pool(text("pool", number), blob, 2, 2);
    pools.push_back(blob);
  }
  return pools;
}

void write_vgg16(CaffeNet& net) {
  std::string blob = add_vgg16_stages(net, add_imagenet(net, {224, 16}), 1).back();
  for (const char* number : {"6", "7"}) {
    blob = net.inner_product(text("fc", number), blob, 4096, kFillers);
    net.relu(text("relu", number), blob);
    net.dropout(text("drop", number), blob, 0.5);
  }
  net.classify(net.inner_product_score("fc8", blob, 1000, kFillers), true);
}

// FCN-8s (Long et al., CVPR 2015): scores of three stages, enlarged and cut to fit.
void write_fcn8s(CaffeNet& net) {
  constexpr int kClasses = 21, kSize = 224;
  net.data({{"data", {1, 3, kSize, kSize}}, {"label", {1, 1, kSize, kSize}, 7}},
           {"HDF5Data", "hdf5_data_param { source: 'voc/train.txt' batch_size: 1 }",
            "hdf5_data_param { source: 'voc/val.txt' batch_size: 1 }"});
  const auto convolution_relu = [&](const std::string& number, const std::string& bottom,
                                    int kernel) {
    const std::string blob =
        net.convolution("fc" + number, bottom, 4096, text("kernel_size: ", kernel, kFillers));
    net.relu("relu" + number, blob);
    net.dropout("drop" + number, blob, 0.5);
    return blob;
  };
  const auto score = [&](const std::string& name, const std::string& bottom) {
    return net.convolution_score(name, bottom, kClasses, text("kernel_size: 1", kFillers));
  };
  const auto enlarge = [&](const std::string& name, const std::string& bottom, int stride) {
    return net.add(name, "Deconvolution", {bottom},
                   text("param { lr_mult: 1 decay_mult: 1 } convolution_param { num_output: ",
                        kClasses, " kernel_size: ", 2 * stride, " stride: ", stride,
                        " bias_term: false weight_filler { type: 'xavier' } }"));
  };
  const auto crop = [&](const std::string& name, const std::string& bottom, const std::string& like,
                        int offset) {
    return net.add(name, "Crop", {bottom, like},
                   text("crop_param { axis: 2 offset: ", offset, " }"));
  };
  const auto sum = [&](const std::string& name, const std::string& a, const std::string& b) {
    return net.add(name, "Eltwise", {a, b}, "eltwise_param { operation: SUM }");
  };
  // The border leaves something to score of images smaller than the field of fc6.
  const std::vector<std::string> pools = add_vgg16_stages(net, "data", 100);
  std::string blob = convolution_relu("7", convolution_relu("6", pools[4], 7), 1);
  blob = enlarge("upscore2", score("score_fr", blob), 2);
  const std::string pool4 = crop("score_pool4c", score("score_pool4", pools[3]), blob, 5);
  blob = enlarge("upscore_pool4", sum("fuse_pool4", blob, pool4), 2);
  const std::string pool3 = crop("score_pool3c", score("score_pool3", pools[2]), blob, 9);
  blob = enlarge("upscore8", sum("fuse_pool3", blob, pool3), 8);
  blob = crop("score", blob, "data", 31);
  if (net.trains())
    net.add("loss", "SoftmaxWithLoss", {blob, "label"}, "loss_param { ignore_label: 255 }");
}

}  // namespace orepa::zoo
