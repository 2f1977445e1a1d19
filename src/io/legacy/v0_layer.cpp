#include "io/legacy/v0_layer.h"

#include <google/protobuf/descriptor.h>

#include <vector>

#include "io/legacy/layer_types.h"
#include "orepa/error.h"

namespace orepa {
namespace {

namespace pb = google::protobuf;

// What a field of a layer of some type is called today.
struct V0Field {
  const char* name;
  const char* type;     // V0's; null: of any type
  const char* message;  // of LayerParameter; null: its own field
  const char* target;
};

constexpr V0Field kFields[] = {
    {"name", nullptr, nullptr, "name"},
    {"blobs", nullptr, nullptr, "blobs"},
    {"num_output", "conv", "convolution_param", "num_output"},
    {"num_output", "innerproduct", "inner_product_param", "num_output"},
    {"biasterm", "conv", "convolution_param", "bias_term"},
    {"biasterm", "innerproduct", "inner_product_param", "bias_term"},
    {"weight_filler", "conv", "convolution_param", "weight_filler"},
    {"weight_filler", "innerproduct", "inner_product_param", "weight_filler"},
    {"bias_filler", "conv", "convolution_param", "bias_filler"},
    {"bias_filler", "innerproduct", "inner_product_param", "bias_filler"},
    {"pad", "conv", "convolution_param", "pad"},
    {"pad", "pool", "pooling_param", "pad"},
    {"kernelsize", "conv", "convolution_param", "kernel_size"},
    {"kernelsize", "pool", "pooling_param", "kernel_size"},
    {"group", "conv", "convolution_param", "group"},
    {"stride", "conv", "convolution_param", "stride"},
    {"stride", "pool", "pooling_param", "stride"},
    {"pool", "pool", "pooling_param", "pool"},
    {"dropout_ratio", "dropout", "dropout_param", "dropout_ratio"},
    {"local_size", "lrn", "lrn_param", "local_size"},
    {"alpha", "lrn", "lrn_param", "alpha"},
    {"beta", "lrn", "lrn_param", "beta"},
    {"k", "lrn", "lrn_param", "k"},
    {"source", "data", "data_param", "source"},
    {"source", "hdf5_data", "hdf5_data_param", "source"},
    {"source", "images", "image_data_param", "source"},
    {"source", "window_data", "window_data_param", "source"},
    {"source", "infogain_loss", "infogain_loss_param", "source"},
    {"scale", nullptr, "transform_param", "scale"},
    {"meanfile", nullptr, "transform_param", "mean_file"},
    {"cropsize", nullptr, "transform_param", "crop_size"},
    {"mirror", nullptr, "transform_param", "mirror"},
    {"batchsize", "data", "data_param", "batch_size"},
    {"batchsize", "hdf5_data", "hdf5_data_param", "batch_size"},
    {"batchsize", "images", "image_data_param", "batch_size"},
    {"batchsize", "window_data", "window_data_param", "batch_size"},
    {"rand_skip", "data", "data_param", "rand_skip"},
    {"rand_skip", "images", "image_data_param", "rand_skip"},
    {"shuffle_images", "images", "image_data_param", "shuffle"},
    {"new_height", "images", "image_data_param", "new_height"},
    {"new_width", "images", "image_data_param", "new_width"},
    {"concat_dim", "concat", "concat_param", "concat_dim"},
    {"det_fg_threshold", "window_data", "window_data_param", "fg_threshold"},
    {"det_bg_threshold", "window_data", "window_data_param", "bg_threshold"},
    {"det_fg_fraction", "window_data", "window_data_param", "fg_fraction"},
    {"det_context_pad", "window_data", "window_data_param", "context_pad"},
    {"det_crop_mode", "window_data", "window_data_param", "crop_mode"},
    {"hdf5_output_param", "hdf5_output", nullptr, "hdf5_output_param"},
};

const V0Field* find(const std::string& name, const std::string& type) {
  for (const V0Field& field : kFields)
    if (field.name == name && (field.type == nullptr || field.type == type)) return &field;
  return nullptr;
}

// Fields that are no layer's own: the type, and what upgrade_v1_layer() does for both versions.
bool is_common(const std::string& field) {
  return field == "type" || field == "blobs_lr" || field == "weight_decay";
}

}  // namespace

bool is_padding(const V1LayerParameter& layer) { return layer.layer().type() == "padding"; }

void upgrade_v0_layer(const V0LayerParameter& old, const FieldCopy& fields, LayerParameter& layer) {
  const std::string type = type_of_v0(old.type());
  require(!type.empty(), fields.where(old, "type"), ": Caffe's V0 format has no layer of type \"",
          old.type(), "\"");
  layer.set_type(type);
  fields.place(old, "type", -1, layer, "type");
  std::vector<const pb::FieldDescriptor*> given;
  old.GetReflection()->ListFields(old, &given);
  for (const pb::FieldDescriptor* descriptor : given) {
    if (is_common(descriptor->name())) continue;
    const V0Field* field = find(descriptor->name(), old.type());
    require(field != nullptr, fields.where(old, descriptor->name()), ": ", descriptor->name(),
            " is nothing that a layer of type \"", old.type(), "\" has; leave it out");
    pb::Message* to = &layer;
    if (field->message != nullptr) {
      const auto* message = layer.GetDescriptor()->FindFieldByName(field->message);
      to = layer.GetReflection()->MutableMessage(&layer, message);
      fields.place(old, "", -1, *to);
    }
    fields.copy(old, field->name, *to, field->target);
  }
}

}  // namespace orepa
