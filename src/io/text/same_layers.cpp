#include "io/text/same_layers.h"

#include <map>
#include <set>

#include "orepa/error.h"

namespace orepa {
namespace {

bool is_position(const std::string& key) {
  return key.find_first_not_of("0123456789") == std::string::npos;
}

struct NetLayer {
  std::set<std::string> keys;  // names and positions
  size_t blobs = 0, required = 0;
  bool re_parameterised = false;
};

std::map<std::string, NetLayer> layers_of(const Parameters& parameters) {
  std::map<std::string, NetLayer> layers;
  for (const Parameters::Place& place : parameters.places()) {
    if (!in_files(*place.parameter)) continue;
    NetLayer& layer = layers[place.layer];
    layer.keys.insert({place.name, std::to_string(place.index)});
    ++layer.blobs;
    // One that is shared may stand in its first layer alone.
    layer.required += !is_factor(*place.parameter) && place.is_first();
    layer.re_parameterised = layer.re_parameterised || place.parameter->factor;
  }
  return layers;
}

struct FileLayer {
  std::vector<std::string> keys;
  bool typed = false, re_parameterised = false, by_position = false;
};

std::map<std::string, FileLayer> layers_of(const std::vector<StoredBlob>& blobs) {
  std::map<std::string, FileLayer> layers;
  for (const StoredBlob& blob : blobs) {
    FileLayer& layer = layers[blob.layer];
    layer.keys.push_back(blob.key);
    layer.typed = !blob.type.empty();
    layer.by_position = layer.by_position || is_position(blob.key);
    // Factors are called after their branch, "kxk.weight".
    layer.re_parameterised = layer.re_parameterised || blob.type == "ORepaConv" ||
                             blob.key.find('.') != std::string::npos;
  }
  return layers;
}

bool same(const FileLayer& file, const NetLayer& net) {
  for (const std::string& key : file.keys)
    if (!net.keys.contains(key)) return false;
  if (file.by_position && file.keys.size() < net.required) return false;
  return !file.typed || file.re_parameterised == net.re_parameterised;
}

const char* remedy(const FileLayer& file, const NetLayer& net) {
  if (file.re_parameterised && !net.re_parameterised)
    return "it was trained as ORepaConv: run `orepa_tool convert`, which makes a plain net of the "
           "one that was trained";
  if (net.re_parameterised && !file.re_parameterised)
    return "it is an ORepaConv in the net: `orepa_tool reparam --weights` makes its weights of a "
           "plain net's";
  return "to learn it from scratch, give it another name in the net";
}

}  // namespace

bool in_files(const Parameter& parameter) { return parameter.kind != Parameter::Kind::kDerived; }

bool is_factor(const Parameter& parameter) {
  return parameter.kind == Parameter::Kind::kBuffer && parameter.name == "factor";
}

void require_same_layers(const std::vector<StoredBlob>& blobs, const std::string& file,
                         const Parameters& parameters) {
  const std::map<std::string, NetLayer> of_net = layers_of(parameters);
  for (const auto& [name, layer] : layers_of(blobs)) {
    const auto found = of_net.find(name);
    if (found == of_net.end()) continue;
    require(same(layer, found->second), file, ": layer \"", name, "\" has ", layer.keys.size(),
            " blobs there, and ", found->second.blobs, " in the net; ",
            remedy(layer, found->second));
  }
}

}  // namespace orepa
