#include "reparam/deploy.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "graph/graph.h"
#include "layers/window.h"
#include "orepa/error.h"

namespace orepa {
namespace {

bool is_source(const LayerParameter& layer) {
  return layer.bottom_size() == 0 && layer.type() != "Input";
}

// Fields from 7700 on are ours, in every message. Fillers are not needed where weights come from a
// file, and stock readers stop at types that they do not know.
void clear_own_fields_and_fillers(google::protobuf::Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->number() >= 7700 || field->message_type() == FillerParameter::descriptor())
      reflection.ClearField(&message, field);
    else if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE)
      for (int i = 0; i < (field->is_repeated() ? reflection.FieldSize(message, field) : 1); ++i)
        clear_own_fields_and_fillers(field->is_repeated()
                                         ? *reflection.MutableRepeatedMessage(&message, field, i)
                                         : *reflection.MutableMessage(&message, field));
  }
}

void add_strided_identity(NetParameter& net, const LayerParameter& pool, int64_t channels,
                          const Pair& stride) {
  LayerParameter& layer = *net.add_layer();
  layer.set_name(pool.name());
  layer.set_type("Convolution");
  layer.add_bottom(pool.top(0) + "_stride1");
  layer.add_top(pool.top(0));
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

// Some readers know only the _h and _w forms of a window that is not square.
void split_windows(ConvolutionParameter& convolution) {
  const auto differs = [](const auto& values) {
    return values.size() == 2 && values[0] != values[1];
  };
  if (differs(convolution.kernel_size())) {
    convolution.set_kernel_h(convolution.kernel_size(0));
    convolution.set_kernel_w(convolution.kernel_size(1));
    convolution.clear_kernel_size();
  }
  if (differs(convolution.stride())) {
    convolution.set_stride_h(convolution.stride(0));
    convolution.set_stride_w(convolution.stride(1));
    convolution.clear_stride();
  }
  if (differs(convolution.pad())) {
    convolution.set_pad_h(convolution.pad(0));
    convolution.set_pad_w(convolution.pad(1));
    convolution.clear_pad();
  }
}

void add_portable_pool(NetParameter& net, LayerParameter layer, const Shape& bottom) {
  PoolingParameter& pool = *layer.mutable_pooling_param();
  const bool floor = pool.round_mode() == PoolingParameter::FLOOR;
  pool.clear_round_mode();
  pool.clear_engine();
  pool.set_pool(pool.pool());  // OpenCV knows no default where the pool is global
  const LayerSpec spec{layer.name(), layer.type(), Options(&layer, nullptr)};
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
  layer.set_name(original.name() + "_stride1");
  layer.set_top(0, original.top(0) + "_stride1");
  *net.add_layer() = std::move(layer);
  add_strided_identity(net, original, bottom[1], {stride[0] / dense[0], stride[1] / dense[1]});
}

}  // namespace

NetParameter test_layers(const NetSpec& spec) {
  NetParameter net = spec.proto();
  net.clear_layer();
  const LayerFilter filter{Phase::kTest, 0, {}};
  for (const Options& options : spec.layers()) {
    const LayerSpec layer{options.string("name"), options.string("type"), options};
    if (!included(layer, filter)) continue;
    LayerParameter& kept = *net.add_layer();
    kept.CopyFrom(*options.proto());
    kept.clear_include();
    kept.clear_exclude();
    kept.clear_phase();
  }
  return net;
}

NetParameter with_input(const NetParameter& net,
                        const std::function<Shape(const std::string&)>& shape_of,
                        int64_t batch_size) {
  NetParameter made = net;
  made.clear_layer();
  std::set<std::string> dropped;               // blobs that exist no more
  std::map<std::string, std::string> renamed;  // the top of a Dropout is its bottom
  for (LayerParameter layer : net.layer()) {
    if (is_source(layer)) {
      for (int t = 1; t < layer.top_size(); ++t) dropped.insert(layer.top(t));
      LayerParameter& input = *made.add_layer();
      input.set_name(layer.top(0));
      input.set_type("Input");
      input.add_top(layer.top(0));
      BlobShape& shape = *input.mutable_input_param()->add_shape();
      const Shape data = shape_of(layer.top(0));
      for (const int64_t extent : data.extents()) shape.add_dim(extent);
      if (batch_size > 0) shape.set_dim(0, batch_size);
      continue;
    }
    bool reads_dropped = false;
    for (std::string& bottom : *layer.mutable_bottom()) {
      reads_dropped = reads_dropped || dropped.contains(bottom);
      if (renamed.contains(bottom)) bottom = renamed[bottom];
    }
    if (reads_dropped) {
      dropped.insert(layer.top().begin(), layer.top().end());
    } else if (layer.type() == "Dropout") {
      if (layer.top(0) != layer.bottom(0)) renamed[layer.top(0)] = layer.bottom(0);
    } else {
      *made.add_layer() = std::move(layer);
    }
  }
  require(made.layer_size() > 1, "nothing is left of the net once its sources and losses are gone");
  return made;
}

void straighten_inner_products(NetParameter& net,
                               std::map<std::string, std::vector<float>>& values) {
  for (LayerParameter& layer : *net.mutable_layer()) {
    if (!layer.inner_product_param().transpose()) continue;
    layer.mutable_inner_product_param()->clear_transpose();
    std::vector<float>& weight = values.at(layer.name() + "/weight");
    const std::vector<float> given = weight;
    const size_t outputs = layer.inner_product_param().num_output();
    const size_t inputs = given.size() / outputs;
    for (size_t i = 0; i < inputs; ++i)
      for (size_t o = 0; o < outputs; ++o) weight[o * inputs + i] = given[i * outputs + o];
  }
}

NetParameter portable(const NetParameter& net,
                      const std::function<Shape(const std::string&)>& shape_of) {
  NetParameter made = net;
  made.clear_layer();
  made.clear_state();
  made.clear_force_backward();
  clear_own_fields_and_fillers(made);
  for (LayerParameter layer : net.layer()) {
    layer.clear_param();
    layer.clear_loss_weight();
    layer.clear_propagate_down();
    clear_own_fields_and_fillers(layer);
    if (layer.type() == "Convolution") split_windows(*layer.mutable_convolution_param());
    if (layer.type() == "Pooling")
      add_portable_pool(made, layer, shape_of(layer.bottom(0)));
    else
      *made.add_layer() = std::move(layer);
  }
  return made;
}

}  // namespace orepa
