// Caffe's V1 and V0 nets in today's words: layers {} as layer {}, padding layers as the padding of
// what reads them, images' transforms in transform_param.
#pragma once
#include "caffe_legacy.pb.h"
#include "io/legacy/field_copy.h"

namespace orepa {

// Into an empty net. A net-level `input` stays one (io/text/upgrade.h). Throws Error where a type
// or a field of a layer is none, and where a padding layer is read by what has no padding.
void upgrade_v1_net(const V1NetParameter& old, const FieldCopy& fields, NetParameter& net);

// The same without places. `name` stands in messages where they would.
NetParameter upgraded_v1_net(const V1NetParameter& old, const std::string& name);

// Whether a prototxt is of that kind, by its outermost fields.
bool is_v1_text(const std::string& content, const std::string& file);

// What parse_text() does with today's, for one of those.
void parse_v1_text(const std::string& content, const std::string& file, NetParameter& net,
                   Positions& positions);

}  // namespace orepa
