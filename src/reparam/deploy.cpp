#include "reparam/deploy.h"

#include <algorithm>
#include <set>

#include "engine/graph.h"
#include "orepa/error.h"
#include "reparam/blob_names.h"

namespace orepa {
namespace {

bool is_source(const LayerParameter& layer) {
  return layer.bottom_size() == 0 && layer.type() != "Input" && layer.type() != "Parameter";
}

bool measures(const LayerParameter& layer) {
  return layer.type().ends_with("Loss") || layer.type() == "Accuracy";
}

// Tops of Input layers that only losses and accuracies read.
std::set<std::string> label_inputs(const NetParameter& net) {
  std::set<std::string> read, measured;
  for (const LayerParameter& layer : net.layer())
    (measures(layer) ? measured : read).insert(layer.bottom().begin(), layer.bottom().end());
  std::set<std::string> labels;
  for (const LayerParameter& layer : net.layer())
    if (layer.type() == "Input")
      for (const std::string& top : layer.top())
        if (measured.contains(top) && !read.contains(top)) labels.insert(top);
  return labels;
}

// What layers read, or is an output, but for what measures it is measured by.
std::set<std::string> needed_blobs(const NetParameter& net) {
  std::set<std::string> read, needed;
  for (const LayerParameter& layer : net.layer())
    read.insert(layer.bottom().begin(), layer.bottom().end());
  for (auto layer = net.layer().rbegin(); layer != net.layer().rend(); ++layer) {
    if (measures(*layer)) {
      needed.insert(layer->bottom(0));
    } else if (std::any_of(layer->top().begin(), layer->top().end(), [&](const std::string& top) {
                 return needed.contains(top) || !read.contains(top);
               })) {
      needed.insert(layer->bottom().begin(), layer->bottom().end());
    }
  }
  return needed;
}

// The layer as an Input of its first top, and of the others that are needed.
LayerParameter input_of(const LayerParameter& source, const std::set<std::string>& needed,
                        const std::function<Shape(const std::string&)>& shape_of,
                        int64_t batch_size) {
  LayerParameter input;
  input.set_type("Input");
  for (const std::string& top : source.top()) {
    if (top != source.top(0) && !needed.contains(top)) continue;
    input.add_top(top);
    BlobShape& shape = *input.mutable_input_param()->add_shape();
    const Shape data = shape_of(top);
    for (const int64_t extent : data.extents()) shape.add_dim(extent);
    if (batch_size > 0) shape.set_dim(0, batch_size);
  }
  return input;
}

// The Input layer with the tops that stay, if any.
void add_input(const LayerParameter& layer, const std::set<std::string>& dropped,
               NetParameter& made) {
  LayerParameter input = layer;
  InputParameter& shapes = *input.mutable_input_param();
  for (int t = layer.top_size() - 1; t >= 0; --t) {
    if (!dropped.contains(layer.top(t))) continue;
    input.mutable_top()->DeleteSubrange(t, 1);
    if (shapes.shape_size() > 1) shapes.mutable_shape()->DeleteSubrange(t, 1);
  }
  if (input.top_size() > 0) *made.add_layer() = input;
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

}  // namespace

NetParameter test_layers(const NetSpec& spec) {
  NetParameter net = spec.proto();
  net.clear_layer();
  net.clear_state();  // it has no rules left to choose by
  const LayerFilter filter = with_state({Phase::kTest, 0, {}}, spec);
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

int64_t deploy_batch_size(const NetParameter& net) {
  static const std::set<std::string> sequences = {"LSTM", "LSTMUnit", "RNN"};
  const auto& layers = net.layer();
  const bool has_source = std::any_of(layers.begin(), layers.end(), is_source);
  const bool has_sequences =
      std::any_of(layers.begin(), layers.end(),
                  [&](const LayerParameter& layer) { return sequences.contains(layer.type()); });
  return has_source && !has_sequences ? 1 : 0;
}

NetParameter with_input(const NetParameter& net,
                        const std::function<Shape(const std::string&)>& shape_of) {
  NetParameter made = net;
  made.clear_layer();
  std::set<std::string> dropped = label_inputs(net);  // blobs that exist no more
  const std::set<std::string> needed = needed_blobs(net);
  for (const LayerParameter& layer : net.layer()) {
    if (is_source(layer)) {
      LayerParameter& input = *made.add_layer();
      input = input_of(layer, needed, shape_of, deploy_batch_size(net));
      std::set<std::string> others;
      for (const LayerParameter& other : net.layer())
        if (&other != &layer) others.insert(other.name());
      input.set_name(free_name(layer.top(0), others));
      for (const std::string& top : layer.top())
        if (std::find(input.top().begin(), input.top().end(), top) == input.top().end())
          dropped.insert(top);
      continue;
    }
    if (layer.type() == "Input") {
      add_input(layer, dropped, made);
    } else if (measures(layer) ||
               std::any_of(layer.bottom().begin(), layer.bottom().end(),
                           [&](const std::string& bottom) { return dropped.contains(bottom); })) {
      dropped.insert(layer.top().begin(), layer.top().end());
    } else {
      *made.add_layer() = layer;
    }
  }
  require(made.layer_size() > 1, "nothing is left of the net once its sources and losses are gone");
  return made;
}

void straighten_inner_products(NetParameter& net,
                               std::map<std::string, std::vector<float>>& values) {
  for (LayerParameter& layer : *net.mutable_layer()) {
    if (layer.type() != "InnerProduct" || !layer.inner_product_param().transpose()) continue;
    layer.mutable_inner_product_param()->clear_transpose();
    std::vector<float>& weight = values.at(layer.name() + "/weight");
    const std::vector<float> given = weight;
    const size_t outputs = layer.inner_product_param().num_output();
    const size_t inputs = given.size() / outputs;
    for (size_t i = 0; i < inputs; ++i)
      for (size_t o = 0; o < outputs; ++o) weight[o * inputs + i] = given[i * outputs + o];
  }
}

void replace_biases(NetParameter& net) {
  for (LayerParameter& layer : *net.mutable_layer()) {
    if (layer.type() != "Bias" || layer.bottom_size() != 1) continue;
    ScaleParameter& scale = *layer.mutable_scale_param();
    scale.set_axis(layer.bias_param().axis());
    scale.set_num_axes(layer.bias_param().num_axes());
    scale.set_bias_term(true);
    layer.clear_bias_param();
    layer.set_type("Scale");
  }
}

NetParameter portable(const NetParameter& net) {
  NetParameter made = net;
  made.clear_layer();
  made.clear_state();
  made.clear_force_backward();
  clear_own_fields_and_fillers(made);
  for (LayerParameter layer : net.layer()) {
    require(layer.type() != "BatchNormPad", "layer \"", layer.name(),
            "\" (BatchNormPad) uses the statistics of the batch, which no Caffe reader can; take "
            "use_global_stats: false out of it");
    layer.clear_param();
    layer.clear_loss_weight();
    layer.clear_propagate_down();
    clear_own_fields_and_fillers(layer);
    if (layer.type() == "Convolution" || layer.type() == "Deconvolution")
      split_windows(*layer.mutable_convolution_param());
    *made.add_layer() = std::move(layer);
  }
  return made;
}

}  // namespace orepa
