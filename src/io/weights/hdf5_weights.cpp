#include "io/weights/stored_blobs.h"
#include "orepa/error.h"
#include "orepa/tensor_file.h"

namespace orepa {

std::vector<StoredBlob> read_hdf5_weights(const std::string& path) {
  const std::string root = "/data/";
  const TensorFileReader file(path);
  require(file.has("/data"), path, ": has no group /data with weights");
  std::vector<StoredBlob> blobs;
  for (const std::string& name : file.names("/data")) {
    // A layer's name may have slashes in it, a key has none.
    const size_t slash = name.rfind('/');
    require(slash > root.size(), path, ": array ", name, " belongs to no layer");
    blobs.push_back({name.substr(root.size(), slash - root.size()), name.substr(slash + 1),
                     file.shape(name), file.read(name)});
  }
  return blobs;
}

std::string hdf5_weights_bytes(const std::vector<StoredBlob>& blobs) {
  TensorFileWriter file;
  for (const StoredBlob& blob : blobs)
    file.write(text("/data/", blob.layer, "/", blob.key), blob.shape, blob.values);
  return file.bytes();
}

}  // namespace orepa
