// Diverse Branch Block (Ding et al., CVPR 2021): K x K + 1 x 1 + (1 x 1, average pooling) + (1 x 1,
// K x K), a BatchNorm behind every convolution; inside a branch with the padding that lets it
// merge.
#include "orepa/error.h"
#include "reparam/expand/block_layers.h"
#include "reparam/expand/orepa_layer.h"

namespace orepa {
namespace {

class Dbb {
 public:
  explicit Dbb(const Chain& chain)
      : chain_(chain),
        block_(chain),
        depthwise_(chain.groups == chain.outputs && chain.channels == chain.outputs) {}

  Block build() {
    block_.origin("dbb_origin");
    if (!depthwise_) {
      block_.convolution("dbb_1x1", block_.bottom(), chain_.outputs, block_.centre());
      block_.end_branch("dbb_1x1.bn", block_.full("dbb_1x1"));
    }
    add_average();
    add_1x1_kxk();
    return block_.sum("DBB block");
  }

 private:
  void add_average() {
    std::string from = block_.bottom();
    if (!depthwise_) {
      block_.convolution("dbb_avg", from, chain_.outputs, {});
      block_.padded_norm("dbb_avg.bn", block_.full("dbb_avg"));
      from = block_.full("dbb_avg.bn");
    }
    PoolingParameter& pool = *block_.add("dbb_avg.avg", "Pooling", from).mutable_pooling_param();
    pool.set_pool(PoolingParameter::AVE);
    pool.set_kernel_size(static_cast<uint32_t>(chain_.kernel[0]));
    if (depthwise_) pool.set_pad(static_cast<uint32_t>(chain_.pad[0]));
    const auto height = static_cast<uint32_t>(chain_.stride[0]),
               width = static_cast<uint32_t>(chain_.stride[1]);
    if (height != width) {
      pool.set_stride_h(height);
      pool.set_stride_w(width);
    } else if (height != 1) {
      pool.set_stride(height);
    }
    pool.set_round_mode(PoolingParameter::FLOOR);
    block_.end_branch("dbb_avg.avgbn", block_.full("dbb_avg.avg"));
  }

  // The first convolution keeps the channels and starts as the identity; a depthwise one doubles
  // them.
  void add_1x1_kxk() {
    const std::string first = depthwise_ ? "dbb_1x1_kxk.conv1" : "dbb_1x1_kxk.idconv1";
    LayerParameter& pointwise =
        block_.convolution(first, block_.bottom(), chain_.channels * (depthwise_ ? 2 : 1), {});
    if (!depthwise_) make_orepa(pointwise, OrepaParameter::IDENTITY);
    block_.padded_norm("dbb_1x1_kxk.bn1", block_.full(first));
    block_.convolution("dbb_1x1_kxk.conv2", block_.full("dbb_1x1_kxk.bn1"), chain_.outputs,
                       {chain_.kernel, chain_.stride});
    block_.end_branch("dbb_1x1_kxk.bn2", block_.full("dbb_1x1_kxk.conv2"));
  }

  const Chain& chain_;
  BlockLayers block_;
  bool depthwise_;
};

Block expand(const Chain& chain, bool) {
  require_kernel(chain, 3, 5);
  require(chain.dilation == Pair{1, 1}, "its average pooling could not be dilated");
  require_channels(chain);
  return Dbb(chain).build();
}

const StyleRegistrar registrar({"dbb", true, expand});

}  // namespace
}  // namespace orepa
