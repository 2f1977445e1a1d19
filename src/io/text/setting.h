// What sets single fields of messages that were read from files: Setting (model_io.h).
#pragma once
#include <string>
#include <vector>

#include "core/positions.h"
#include "orepa/model_io.h"

namespace orepa {

// "layer[conv1].convolution_param.kernel_size[0]", taken apart. An entry of a repeated field is
// named by the text in its brackets: a layer by its name (layer_names.h), anything else by its
// index.
struct FieldPath {
  struct Step {
    std::string field, entry;
    bool has_entry = false;
  };
  // Throws Error, which `place` starts, where it is no path.
  FieldPath(const std::string& path, const std::string& place);
  // Whether it starts with that field; then the rest is what remains.
  bool starts_with(const std::string& field) const;
  FieldPath rest() const;
  std::vector<Step> steps;
};

// Sets the field, of every layer that has the name (layer_names.h), and notes its new place.
// `holder`: the field of the solver that holds the message, where that is a net. Returns false
// where no layer has that name. Throws Error, which the place starts, where there is no such field
// or entry, the value is none, or a phase names no single layer.
bool set_field(const Setting& setting, const FieldPath& path, google::protobuf::Message& message,
               Positions& positions, const std::string& holder = "");

}  // namespace orepa
