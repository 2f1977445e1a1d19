// The nets of Caffe's examples.
#include "caffe_networks.h"
#include "orepa/error.h"

namespace orepa::zoo {
namespace {

// Caffe's LMDBs of one kind of images.
CaffeNet::Source lmdb(const std::string& transform, const std::string& train,
                      const std::string& test, int train_batch, int test_batch) {
  const auto layer = [&](const std::string& source, int batch) {
    return text("transform_param { ", transform, " } data_param { source: '", source,
                "' batch_size: ", batch, " backend: LMDB }");
  };
  return {"Data", layer(train, train_batch), layer(test, test_batch)};
}

constexpr const char* kXavier = "weight_filler { type: 'xavier' } bias_filler { type: 'constant' }";
constexpr const char* kGrey = "scale: 0.00390625";  // 1 / 256

std::string gaussian(double deviation) {
  return text("weight_filler { type: 'gaussian' std: ", deviation,
              " } bias_filler { type: 'constant' }");
}

}  // namespace

void write_lenet(CaffeNet& net) {
  net.data(
      {{"data", {64, 1, 28, 28}}, {"label", {64}, 7}},
      lmdb(kGrey, "examples/mnist/mnist_train_lmdb", "examples/mnist/mnist_test_lmdb", 64, 100));
  std::string blob = net.convolution("conv1", "data", 20, text("kernel_size: 5 ", kXavier));
  blob = net.max_pool("pool1", blob, 2, 2);
  blob = net.convolution("conv2", blob, 50, text("kernel_size: 5 ", kXavier));
  blob = net.max_pool("pool2", blob, 2, 2);
  blob = net.inner_product("ip1", blob, 500, kXavier);
  net.relu("relu1", blob);
  net.classify(net.inner_product_score("ip2", blob, 10, kXavier), false);
}

void write_cifar10_full(CaffeNet& net) {
  net.data(
      {{"data", {100, 3, 32, 32}}, {"label", {100}, 7}},
      lmdb("mean_file: 'examples/cifar10/mean.binaryproto'", "examples/cifar10/cifar10_train_lmdb",
           "examples/cifar10/cifar10_test_lmdb", 100, 100));
  const auto normalise = [&](const std::string& name, const std::string& bottom) {
    return net.add(
        name, "LRN", {bottom},
        "lrn_param { local_size: 3 alpha: 5e-05 beta: 0.75 norm_region: WITHIN_CHANNEL }");
  };
  const std::string window = "kernel_size: 5 pad: 2 ";
  std::string blob = net.convolution("conv1", "data", 32, window + gaussian(0.0001));
  blob = net.max_pool("pool1", blob, 3, 2);
  net.relu("relu1", blob);
  blob = net.convolution("conv2", normalise("norm1", blob), 32, window + gaussian(0.01));
  net.relu("relu2", blob);
  blob = net.average_pool("pool2", blob, 3, 2);
  blob = net.convolution("conv3", normalise("norm2", blob), 64, window + gaussian(0.01));
  net.relu("relu3", blob);
  blob = net.average_pool("pool3", blob, 3, 2);
  net.classify(net.inner_product_score("ip1", blob, 10, gaussian(0.01)), false);
}

// Two LeNets with the same weights: images of one class come to lie near each other.
void write_siamese(CaffeNet& net) {
  const auto add_twin = [&](const std::string& image, const std::string& suffix) {
    const auto weighted = [&](const std::string& name, const std::string& type,
                              const std::string& bottom, int outputs, const std::string& fields) {
      const std::string parameter =
          type == "Convolution" ? "convolution_param" : "inner_product_param";
      return net.add(name + suffix, type, {bottom},
                     text("param { name: '", name, "_w' lr_mult: 1 } param { name: '", name,
                          "_b' lr_mult: 2 } ", parameter, " { num_output: ", outputs, " ", fields,
                          kXavier, " }"));
    };
    const std::string window = "kernel_size: 5 stride: 1 ";
    std::string blob = weighted("conv1", "Convolution", image, net.scaled(20), window);
    blob = net.max_pool("pool1" + suffix, blob, 2, 2);
    blob = weighted("conv2", "Convolution", blob, net.scaled(50), window);
    blob = net.max_pool("pool2" + suffix, blob, 2, 2);
    blob = weighted("ip1", "InnerProduct", blob, net.scaled(500), "");
    net.relu("relu1" + suffix, blob);
    blob = weighted("ip2", "InnerProduct", blob, 10, "");
    return weighted("feat", "InnerProduct", blob, 2, "");
  };
  if (!net.trains()) {
    net.data({{"data", {1, 1, 28, 28}}}, {});
    add_twin("data", "");
    return;
  }
  net.data({{"pair_data", {64, 2, 28, 28}}, {"sim", {64}, 1}},
           lmdb(kGrey, "examples/siamese/mnist_siamese_train_lmdb",
                "examples/siamese/mnist_siamese_test_lmdb", 64, 100));
  net.layer("slice_pair", "Slice", {"pair_data"}, {"data", "data_p"},
            "slice_param { slice_dim: 1 slice_point: 1 }");
  const std::string features = add_twin("data", ""), others = add_twin("data_p", "_p");
  net.add("loss", "ContrastiveLoss", {features, others, "sim"},
          "contrastive_loss_param { margin: 1 }");
}

}  // namespace orepa::zoo
