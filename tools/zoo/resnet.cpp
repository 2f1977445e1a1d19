#include "networks.h"
#include "orepa/error.h"

namespace orepa::zoo {
namespace {

class Writer {
 public:
  Writer(NetBuilder& net, const ResNet& network) : net_(net), network_(network) {}

  std::string write(const std::string& image, int classes) {
    channels_ = scaled(64);
    std::string blob =
        norm_relu("stage0", 1, image, channels_, {.kernel = 7, .stride = 2, .pad = 3});
    blob = pool(blob);
    for (int stage = 0; stage < 4; ++stage) {
      for (int block = 0; block < network_.blocks[stage]; ++block) {
        const std::string name = text("stage", stage + 1, ".", block);
        const int width = scaled(64 << stage), stride = stage > 0 && block == 0 ? 2 : 1;
        blob = add_block(name, blob, width, stride);
      }
    }
    return net_.linear("linear", net_.global_average("gap", blob), channels_, classes);
  }

 private:
  int scaled(int channels) const { return static_cast<int>(channels * network_.width); }

  std::string norm_relu(const std::string& block, int number, const std::string& bottom,
                        int outputs, const Window& window, int groups = 1) {
    return net_.relu(
        text(block, ".relu", number),
        net_.convolution_norm(text(block, ".conv", number), bottom, outputs, window, groups));
  }

  // Rounds down as PyTorch does: 112 becomes 56, which would be 57 with Caffe's rounding up.
  std::string pool(const std::string& bottom) {
    PoolingParameter& pool =
        *net_.add("stage0.pool", "Pooling", {bottom}, "stage0.pool").mutable_pooling_param();
    pool.set_pool(PoolingParameter::MAX);
    pool.set_kernel_size(3);
    pool.set_stride(2);
    pool.set_pad(1);
    pool.set_round_mode(PoolingParameter::FLOOR);
    return "stage0.pool";
  }

  std::string add_block(const std::string& name, const std::string& bottom, int width, int stride) {
    const int outputs = network_.bottleneck ? 4 * width : width;
    std::string shortcut = bottom;
    if (stride != 1 || channels_ != outputs)
      shortcut = net_.convolution_norm(name + ".shortcut", bottom, outputs, {.stride = stride});
    const std::string last = network_.bottleneck ? bottleneck(name, bottom, width, stride)
                                                 : basic(name, bottom, width, stride);
    channels_ = outputs;
    return net_.relu(text(name, ".relu", network_.bottleneck ? 3 : 2),
                     net_.sum(name, last, shortcut));
  }

  std::string basic(const std::string& name, const std::string& bottom, int width, int stride) {
    const std::string blob =
        norm_relu(name, 1, bottom, width, {.kernel = 3, .stride = stride, .pad = 1});
    return net_.convolution_norm(name + ".conv2", blob, width, {.kernel = 3, .pad = 1});
  }

  std::string bottleneck(const std::string& name, const std::string& bottom, int width,
                         int stride) {
    const int inner = network_.groups * (width * network_.group_width / 64);
    std::string blob = norm_relu(name, 1, bottom, inner, {});
    blob =
        norm_relu(name, 2, blob, inner, {.kernel = 3, .stride = stride, .pad = 1}, network_.groups);
    return net_.convolution_norm(name + ".conv3", blob, 4 * width, {});
  }

  NetBuilder& net_;
  const ResNet& network_;
  int channels_ = 0;  // of the blob that the next block reads
};

}  // namespace

std::string add(NetBuilder& net, const ResNet& network, const std::string& image, int classes) {
  return Writer(net, network).write(image, classes);
}

}  // namespace orepa::zoo
