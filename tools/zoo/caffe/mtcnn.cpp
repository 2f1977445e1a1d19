// MTCNN (Zhang et al., 2016), a cascade that finds faces: P-Net looks at every place of an image,
// R-Net and O-Net at what the net before has left. Each says whether there is a face, and how its
// box is to be moved; O-Net says where eyes, nose and mouth are, too.
#include "caffe_networks.h"
#include "orepa/error.h"

namespace orepa::zoo {
namespace {

std::string convolution_prelu(CaffeNet& net, const std::string& number, const std::string& prelu,
                              const std::string& bottom, int outputs, int kernel) {
  const std::string blob =
      net.convolution("conv" + number, bottom, outputs, text("kernel_size: ", kernel));
  net.change(prelu, "PReLU", blob);
  return blob;
}

}  // namespace

void write_mtcnn_pnet(CaffeNet& net) {
  net.data({{"data", {1, 3, 12, 12}}}, {});
  std::string blob = convolution_prelu(net, "1", "PReLU1", "data", 10, 3);
  blob = net.max_pool("pool1", blob, 2, 2);
  blob = convolution_prelu(net, "2", "PReLU2", blob, 16, 3);
  blob = convolution_prelu(net, "3", "PReLU3", blob, 32, 3);
  const std::string scores = net.convolution_score("conv4-1", blob, 2, "kernel_size: 1");
  net.convolution_score("conv4-2", blob, 4, "kernel_size: 1");
  net.add("prob1", "Softmax", {scores});
}

void write_mtcnn_rnet(CaffeNet& net) {
  net.data({{"data", {1, 3, 24, 24}}}, {});
  std::string blob = convolution_prelu(net, "1", "prelu1", "data", 28, 3);
  blob = net.max_pool("pool1", blob, 3, 2);
  blob = convolution_prelu(net, "2", "prelu2", blob, 48, 3);
  blob = net.max_pool("pool2", blob, 3, 2);
  blob = convolution_prelu(net, "3", "prelu3", blob, 64, 2);
  blob = net.inner_product("conv4", blob, 128, "");
  net.change("prelu4", "PReLU", blob);
  const std::string scores = net.inner_product_score("conv5-1", blob, 2, "");
  net.inner_product_score("conv5-2", blob, 4, "");
  net.add("prob1", "Softmax", {scores});
}

void write_mtcnn_onet(CaffeNet& net) {
  net.data({{"data", {1, 3, 48, 48}}}, {});
  std::string blob = convolution_prelu(net, "1", "prelu1", "data", 32, 3);
  blob = net.max_pool("pool1", blob, 3, 2);
  blob = convolution_prelu(net, "2", "prelu2", blob, 64, 3);
  blob = net.max_pool("pool2", blob, 3, 2);
  blob = convolution_prelu(net, "3", "prelu3", blob, 64, 3);
  blob = net.max_pool("pool3", blob, 2, 2);
  blob = convolution_prelu(net, "4", "prelu4", blob, 128, 2);
  blob = net.inner_product("conv5", blob, 256, "");
  net.dropout("drop5", blob, 0.25);
  net.change("prelu5", "PReLU", blob);
  const std::string scores = net.inner_product_score("conv6-1", blob, 2, "");
  net.inner_product_score("conv6-2", blob, 4, "");
  net.inner_product_score("conv6-3", blob, 10, "");
  net.add("prob1", "Softmax", {scores});
}

}  // namespace orepa::zoo
