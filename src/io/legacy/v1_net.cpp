#include "io/legacy/v1_net.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <map>
#include <vector>

#include "io/legacy/layer_types.h"
#include "io/legacy/v0_layer.h"
#include "io/text/parse_text.h"
#include "io/text/text_scan.h"
#include "orepa/error.h"

namespace orepa {
namespace {

namespace pb = google::protobuf;

std::vector<std::string> fields_of(const pb::Message& message) {
  std::vector<const pb::FieldDescriptor*> given;
  message.GetReflection()->ListFields(message, &given);
  std::vector<std::string> names;
  for (const pb::FieldDescriptor* field : given) names.push_back(field->name());
  return names;
}

// A list of one value a blob as a field of each blob's param {}.
void copy_to_param(const pb::Message& old, const std::string& field, const FieldCopy& fields,
                   LayerParameter& layer, const std::string& target) {
  const auto* descriptor = old.GetDescriptor()->FindFieldByName(field);
  for (int i = 0; i < old.GetReflection()->FieldSize(old, descriptor); ++i) {
    if (layer.param_size() == i) fields.place(old, field, i, *layer.add_param());
    fields.copy(old, field, i, *layer.mutable_param(i), target);
  }
}

// What is done to images stood in the message of their source.
void move_transform(const V1LayerParameter& old, const std::string& source, const FieldCopy& fields,
                    LayerParameter& layer) {
  const auto* old_field = old.GetDescriptor()->FindFieldByName(source);
  const auto* field = layer.GetDescriptor()->FindFieldByName(source);
  if (!old.GetReflection()->HasField(old, old_field)) return;
  const pb::Message& from = old.GetReflection()->GetMessage(old, old_field);
  pb::Message& rest = *layer.GetReflection()->MutableMessage(&layer, field);
  for (const char* name : {"scale", "mean_file", "crop_size", "mirror"}) {
    const auto* moved = from.GetDescriptor()->FindFieldByName(name);
    if (!from.GetReflection()->HasField(from, moved)) continue;
    fields.copy(from, name, -1, *layer.mutable_transform_param(), name);
    rest.GetReflection()->ClearField(&rest, moved);
  }
}

void upgrade_v1_layer(const V1LayerParameter& old, const FieldCopy& fields, LayerParameter& layer) {
  fields.place(old, "", -1, layer);
  if (old.has_layer()) upgrade_v0_layer(old.layer(), fields, layer);
  const std::map<std::string, std::string> of_param = {{"param", "name"},
                                                       {"blob_share_mode", "share_mode"},
                                                       {"blobs_lr", "lr_mult"},
                                                       {"weight_decay", "decay_mult"}};
  for (const auto& [field, target] : of_param) {
    copy_to_param(old, field, fields, layer, target);
    if (old.has_layer() && old.layer().GetDescriptor()->FindFieldByName(field) != nullptr)
      copy_to_param(old.layer(), field, fields, layer, target);
  }
  for (const std::string& field : fields_of(old)) {
    if (field == "layer" || field == "type" || of_param.contains(field)) continue;
    fields.copy(old, field, layer, field);
  }
  if (old.has_type()) {
    layer.set_type(type_of_v1(old.type()));
    fields.place(old, "type", -1, layer, "type");
  }
  for (const char* source : {"data_param", "image_data_param", "window_data_param"})
    move_transform(old, source, fields, layer);
}

// By the blobs that they make.
using PaddingLayers = std::map<std::string, const V1LayerParameter*>;

void add_padding(const V1LayerParameter& old, const FieldCopy& fields, PaddingLayers& layers) {
  require(old.bottom_size() == 1 && old.top_size() == 1, fields.where(old),
          ": a padding layer has one bottom and one top");
  require(!layers.contains(old.bottom(0)), fields.where(old, "bottom", 0),
          ": a padding layer cannot follow on another one");
  layers[old.top(0)] = &old;
}

void take_padding(const V1LayerParameter& old, const PaddingLayers& paddings,
                  const FieldCopy& fields, LayerParameter& layer) {
  for (int i = 0; i < layer.bottom_size(); ++i) {
    const auto found = paddings.find(layer.bottom(i));
    if (found == paddings.end()) continue;
    const V1LayerParameter& padding = *found->second;
    const bool convolution = layer.type() == "Convolution";
    require((convolution || layer.type() == "Pooling") && layer.bottom_size() == 1,
            fields.where(old, "bottom", i), ": bottom \"", layer.bottom(i),
            "\" is made by a padding layer, which only a conv or a pool can read, got ",
            layer.type());
    layer.set_bottom(i, padding.bottom(0));
    if (convolution) {
      layer.mutable_convolution_param()->clear_pad();
      fields.copy(padding.layer(), "pad", *layer.mutable_convolution_param(), "pad");
    } else {
      fields.copy(padding.layer(), "pad", *layer.mutable_pooling_param(), "pad");
    }
  }
}

}  // namespace

void upgrade_v1_net(const V1NetParameter& old, const FieldCopy& fields, NetParameter& net) {
  for (const std::string& field : fields_of(old))
    if (field != "layers") fields.copy(old, field, net, field);
  PaddingLayers paddings;
  for (const V1LayerParameter& layer : old.layers()) {
    if (is_padding(layer)) {
      add_padding(layer, fields, paddings);
      continue;
    }
    LayerParameter& upgraded = *net.add_layer();
    upgrade_v1_layer(layer, fields, upgraded);
    take_padding(layer, paddings, fields, upgraded);
    for (const std::string& top : layer.top()) paddings.erase(top);
  }
}

NetParameter upgraded_v1_net(const V1NetParameter& old, const std::string& name) {
  NetParameter net;
  upgrade_v1_net(old, FieldCopy(name, nullptr, nullptr), net);
  return net;
}

bool is_v1_text(const std::string& content, const std::string& file) {
  const std::string field = "layers";
  require_bounded(content, file);
  if (content.find(field) == std::string::npos) return false;  // nearly always, and fast
  const TextScan scan = scan_text(without_mark(content, file), file, *V1NetParameter::descriptor());
  return std::any_of(scan.fields.begin(), scan.fields.end(),
                     [&](const TextField& found) { return found.name == field; });
}

void parse_v1_text(const std::string& content, const std::string& file, NetParameter& net,
                   Positions& positions) {
  V1NetParameter old;
  Positions places(file);
  parse_text(content, file, old, places);
  upgrade_v1_net(old, FieldCopy(file, &places, &positions), net);
}

}  // namespace orepa
