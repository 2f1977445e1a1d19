#include "tests/io/caffe_files.h"

#include "orepa.pb.h"
#include "orepa/tensor_file.h"

namespace orepa {
namespace {

void copy(const TensorFileReader& from, const std::string& name, BlobProto* to) {
  const Shape shape = from.shape(name);
  for (const int64_t extent : shape.extents()) to->mutable_shape()->add_dim(extent);
  for (const float value : from.read(name)) to->add_data(value);
}

}  // namespace

std::string caffe_model(const std::string& h5_path) {
  const TensorFileReader file(h5_path);
  NetParameter net;
  for (const std::string& name : file.names("/data")) {  // "/data/conv1/0", in order
    const std::string layer = name.substr(6, name.rfind('/') - 6);
    if (net.layer_size() == 0 || net.layer(net.layer_size() - 1).name() != layer)
      net.add_layer()->set_name(layer);
    copy(file, name, net.mutable_layer(net.layer_size() - 1)->add_blobs());
  }
  return net.SerializeAsString();
}

std::string caffe_state(const std::string& h5_path) {
  const TensorFileReader file(h5_path);
  SolverState state;
  state.set_iter(static_cast<int32_t>(file.read("/iter")[0]));
  state.set_current_step(static_cast<int32_t>(file.read("/current_step")[0]));
  state.set_learned_net("a_folder_that_is_gone/snap_iter_6.caffemodel");
  for (const std::string& name : file.names("/history")) copy(file, name, state.add_history());
  return state.SerializeAsString();
}

}  // namespace orepa
