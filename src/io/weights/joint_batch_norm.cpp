#include "io/weights/joint_batch_norm.h"

#include <algorithm>
#include <map>

#include "orepa/error.h"

namespace orepa {
namespace {

constexpr const char *kScale = "3", *kBias = "4";  // their positions

// The layer whose parameters come next behind a BatchNorm's, where it is a Scale of as many
// channels; empty where it is not.
std::string scale_behind(const std::string& layer, const Parameters& parameters) {
  const auto& places = parameters.places();
  const auto of_layer = [&](const Parameters::Place& place) { return place.layer == layer; };
  const auto last = std::find_if(places.rbegin(), places.rend(), of_layer);
  if (last == places.rend() || last == places.rbegin()) return "";
  const Parameters::Place& next = *last.base();
  const Parameter* mean = parameters.find(layer, "mean");
  const bool scales = next.name == "scale" && next.index == 0 && next.shape == mean->value.shape;
  return scales ? next.layer : "";
}

// With three blobs of its own.
bool is_batch_norm(const std::string& layer, const Parameters& parameters) {
  return parameters.find(layer, "factor") != nullptr && parameters.find(layer, "scale") == nullptr;
}

}  // namespace

void part_batch_norms(const std::string& file, const Parameters& parameters,
                      std::vector<StoredBlob>& blobs) {
  std::map<std::string, std::string> scales;  // by the BatchNorm
  for (const StoredBlob& blob : blobs) {
    if (blob.key != kScale || !is_batch_norm(blob.layer, parameters)) continue;
    const std::string scale = scale_behind(blob.layer, parameters);
    require(
        !scale.empty(), file, ": layer \"", blob.layer,
        "\" holds scale and bias too, as a BatchNorm of NVIDIA's and Intel's Caffe; put a Scale "
        "layer with bias_term: true behind it into the net");
    scales[blob.layer] = scale;
  }
  for (const auto& [norm, scale] : scales)
    for (const StoredBlob& blob : blobs)
      require(blob.layer != scale, file, ": layers \"", norm, "\" and \"", scale,
              "\" both hold a scale; the net has one for them");
  for (StoredBlob& blob : blobs) {
    const auto found = scales.find(blob.layer);
    if (found == scales.end() || (blob.key != kScale && blob.key != kBias)) continue;
    blob.layer = found->second;
    blob.key = blob.key == kScale ? "0" : "1";
    blob.type = "Scale";
  }
}

}  // namespace orepa
