// What is said about names in a prototxt that proto/orepa.proto does not have.
#pragma once
#include <string>
#include <vector>

namespace google::protobuf {
class Descriptor;
}

namespace orepa {

// "unknown field "kernal_size" in ConvolutionParameter; did you mean "kernel_size"?"
std::string unknown_field(const google::protobuf::Descriptor& message, const std::string& name);

// "unknown value "AVG" for field "pool"; did you mean "AVE"?" Of any message of the file:
// protobuf's parser does not say in which one it was.
std::string unknown_value(const google::protobuf::Descriptor& root, const std::string& field,
                          const std::string& value);

}  // namespace orepa
