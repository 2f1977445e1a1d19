// Names of layers and blobs. They are paths in HDF5 files, where "a//b" and "a/./b" are "a/b", and
// they stand in .caffemodel, ONNX and JSON, which are UTF-8.
#pragma once
#include <string>

namespace orepa {

// Valid UTF-8 without control characters, at most 236 bytes; slashes part it ("inception_3a/1x1")
// into pieces of which none is empty or ".".
bool is_name(const std::string& name);

// What is_name() wants, for errors.
extern const char* const kNameRule;

}  // namespace orepa
