#include "reparam/portable_pools.h"

#include <array>
#include <set>

#include "engine/graph.h"
#include "layers/window.h"
#include "reparam/blob_names.h"

namespace orepa {
namespace {

// Of what the pool makes at stride 1, the numbers and a mask where it has one.
void add_strided_identity(NetParameter& net, const LayerParameter& pool,
                          const LayerParameter& dense, int64_t channels, const Pair& stride) {
  LayerParameter& layer = *net.add_layer();
  layer.set_name(pool.name());
  layer.set_type("Convolution");
  *layer.mutable_bottom() = dense.top();
  *layer.mutable_top() = pool.top();
  ConvolutionParameter& convolution = *layer.mutable_convolution_param();
  convolution.set_num_output(static_cast<uint32_t>(channels));
  convolution.set_group(static_cast<uint32_t>(channels));
  convolution.set_bias_term(false);
  convolution.add_kernel_size(1);
  if (stride[0] == stride[1]) {
    convolution.add_stride(static_cast<uint32_t>(stride[0]));
  } else {
    convolution.set_stride_h(static_cast<uint32_t>(stride[0]));
    convolution.set_stride_w(static_cast<uint32_t>(stride[1]));
  }
}

// How many windows Caffe readers make along an axis. A last one that would start beyond the image
// and its padding is dropped: by Caffe where either axis has padding, by OpenCV where this one has.
int64_t rounded_up(int64_t in, int64_t kernel, int64_t stride, int64_t pad, bool drops) {
  const int64_t out = (in + 2 * pad - kernel + stride - 1) / stride + 1;
  return drops && (out - 1) * stride >= in + pad ? out - 1 : out;
}

// Whether all of them make as many as the pool has.
bool all_agree(int64_t in, int64_t kernel, int64_t stride, int64_t pad, bool padded, bool floor) {
  const int64_t caffe = rounded_up(in, kernel, stride, pad, padded);
  const int64_t wanted = floor ? (in + 2 * pad - kernel) / stride + 1 : caffe;
  return caffe == wanted && rounded_up(in, kernel, stride, pad, pad > 0) == wanted;
}

// Names for the pool at stride 1: `taken` are those of the net's layers and blobs.
void add_portable_pool(NetParameter& net, LayerParameter layer, const Shape& bottom,
                       const std::set<std::string>& taken) {
  PoolingParameter& pool = *layer.mutable_pooling_param();
  const bool floor = pool.round_mode() == PoolingParameter::FLOOR;
  pool.clear_round_mode();
  pool.clear_engine();
  pool.set_pool(pool.pool());  // OpenCV knows no default where the pool is global
  const LayerSpec spec{layer.name(), layer.type(),
                       Options(std::make_shared<LayerParameter>(layer), nullptr)};
  const Options windows = spec.options.message("pooling_param");
  const Pair kernel = read_pair(spec, windows, "kernel_size", "kernel", 0);
  const Pair stride = read_pair(spec, windows, "stride", "stride", 1);
  const Pair pad = read_pair(spec, windows, "pad", "pad", 0);
  const bool padded = pad[0] > 0 || pad[1] > 0;
  std::array<bool, 2> agreed;
  for (const int axis : {0, 1})
    agreed[axis] =
        all_agree(bottom[2 + axis], kernel[axis], stride[axis], pad[axis], padded, floor);
  // One that rounds down gets stride 1 along both, and so is right for images of any size.
  Pair dense = stride;
  for (const int axis : {0, 1})
    if (!agreed[axis] || (floor && !agreed[1 - axis])) dense[axis] = 1;
  if (pool.global_pooling() || dense == stride) {
    *net.add_layer() = std::move(layer);
    return;
  }
  const LayerParameter original = layer;
  pool.clear_stride();
  pool.clear_stride_h();
  pool.clear_stride_w();
  if (dense[0] == dense[1]) {
    pool.set_stride(static_cast<uint32_t>(dense[0]));
  } else {
    pool.set_stride_h(static_cast<uint32_t>(dense[0]));
    pool.set_stride_w(static_cast<uint32_t>(dense[1]));
  }
  layer.set_name(free_name(original.name() + "_stride1", taken));
  for (std::string& top : *layer.mutable_top()) top = free_name(top + "_stride1", taken);
  *net.add_layer() = layer;
  add_strided_identity(net, original, layer, bottom[1],
                       {stride[0] / dense[0], stride[1] / dense[1]});
}

}  // namespace

NetParameter portable_pools(const NetParameter& net,
                            const std::function<Shape(const std::string&)>& shape_of) {
  NetParameter made = net;
  made.clear_layer();
  std::set<std::string> taken;
  for (const LayerParameter& layer : net.layer()) {
    taken.insert(layer.name());
    taken.insert(layer.top().begin(), layer.top().end());
  }
  for (const LayerParameter& layer : net.layer())
    if (layer.type() == "Pooling")
      add_portable_pool(made, layer, shape_of(layer.bottom(0)), taken);
    else
      *made.add_layer() = layer;
  return made;
}

}  // namespace orepa
