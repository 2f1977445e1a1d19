// Snapshots that Caffe wrote as HDF5, as the bytes of its BINARYPROTO format.
#pragma once
#include <string>

namespace orepa {

std::string caffe_model(const std::string& h5_path);
std::string caffe_state(const std::string& h5_path);

}  // namespace orepa
