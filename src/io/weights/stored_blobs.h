// The blobs of one weight file, in the two formats there are.
#pragma once
#include <string>
#include <vector>

#include "orepa/model_io.h"
#include "orepa/params.h"
#include "orepa/tensor.h"

namespace orepa {

struct StoredBlob {
  std::string layer;
  std::string key;  // the parameter's name, or its index among the layer's blobs: "weight", "0"
  Shape shape;
  std::vector<float> values;  // shape.count() numbers in Caffe's order
  std::string type = "";      // of the layer, where the file says it: "Convolution"
};

// Throws Error where the name is not that of a .caffemodel or .h5.
void require_weights_name(const std::string& path);

std::vector<StoredBlob> read_caffemodel(const std::string& path);
// Throws Error where a net has more bytes than readers of a .caffemodel accept.
std::string caffemodel_bytes(const std::string& path, const NetParameter& net);
// The net of `spec` with these blobs, which come layer by layer, in their order.
std::string caffemodel_bytes(const std::string& path, const NetSpec& spec,
                             const std::vector<StoredBlob>& blobs);

std::vector<StoredBlob> read_hdf5_weights(const std::string& path);
std::string hdf5_weights_bytes(const std::vector<StoredBlob>& blobs);

// What save_weights() writes to a file of that name. Throws Error where a number is not finite:
// every reader would refuse it.
std::string weights_bytes(const std::string& path, const NetSpec& spec,
                          const Parameters& parameters);

}  // namespace orepa
