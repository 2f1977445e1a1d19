#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/stubs/logging.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>

#include "io/input_file.h"
#include "io/stored_blobs.h"
#include "orepa.pb.h"
#include "orepa/error.h"

namespace orepa {
namespace {

NetParameter parse(const std::string& path) {
  require_regular_file(path);
  std::ifstream in(path, std::ios::binary);
  require(in.good(), path, ": cannot be read: ", std::strerror(errno));
  google::protobuf::io::IstreamInputStream stream(&in);
  const google::protobuf::LogSilencer silence;  // a text that is not UTF-8 is reported to stderr
  NetParameter net;
  require(net.ParsePartialFromZeroCopyStream(&stream), path,
          ": is no .caffemodel, or it is damaged or cut short");
  require(stream.ByteCount() > 0, path, ": is empty");
  require(net.layer_size() > 0, path,
          ": has no layers; files of Caffe's first format (V1, before 2015) have to be upgraded "
          "with its upgrade_net_proto_binary");
  return net;
}

// The legacy extents win where any is there, as in Caffe.
Shape shape_of(const BlobProto& blob) {
  if (blob.has_num() || blob.has_channels() || blob.has_height() || blob.has_width())
    return {blob.num(), blob.channels(), blob.height(), blob.width()};
  return Shape(std::vector<int64_t>(blob.shape().dim().begin(), blob.shape().dim().end()));
}

StoredBlob stored(const LayerParameter& layer, int index, BlobProto& blob,
                  const std::string& path) {
  StoredBlob result{layer.name(), std::to_string(index), shape_of(blob), {}, layer.type()};
  if (blob.double_data_size() > 0)
    result.values.assign(blob.double_data().begin(), blob.double_data().end());
  else
    result.values.assign(blob.data().begin(), blob.data().end());
  const std::string where = text(path, ": layer \"", layer.name(), "\", blob ", index);
  require(!result.values.empty(), where,
          ": holds neither data nor double_data (a file of NVCaffe is written in Caffe's format "
          "with store_blobs_in_old_format: true)");
  const auto numbers = static_cast<int64_t>(result.values.size());
  require(result.shape.fits(numbers) && result.shape.count() == numbers, where, ": is said to be ",
          result.shape.str(), ", but holds ", numbers, " numbers");
  blob.Clear();  // a large file need not be in memory twice
  return result;
}

}  // namespace

std::vector<StoredBlob> read_caffemodel(const std::string& path) {
  NetParameter net = parse(path);
  std::vector<StoredBlob> blobs;
  for (LayerParameter& layer : *net.mutable_layer())
    for (int i = 0; i < layer.blobs_size(); ++i)
      blobs.push_back(stored(layer, i, *layer.mutable_blobs(i), path));
  return blobs;
}

std::string caffemodel_bytes(const std::string& path, const NetSpec& spec,
                             const std::vector<StoredBlob>& blobs) {
  NetParameter net = spec.proto();
  for (LayerParameter& layer : *net.mutable_layer()) layer.clear_blobs();
  for (const StoredBlob& blob : blobs) {
    LayerParameter* owner = nullptr;
    for (LayerParameter& layer : *net.mutable_layer())
      if (owner == nullptr && layer.name() == blob.layer) owner = &layer;
    require(owner != nullptr, path, ": layer \"", blob.layer, "\" has weights, but ", spec.name(),
            " has no such layer");
    BlobProto* written = owner->add_blobs();
    for (const int64_t extent : blob.shape.extents()) written->mutable_shape()->add_dim(extent);
    written->mutable_data()->Add(blob.values.begin(), blob.values.end());
  }
  require(net.ByteSizeLong() <= std::numeric_limits<int>::max(), path,
          ": would be larger than the 2 GiB that readers of .caffemodel accept; use .h5");
  return net.SerializePartialAsString();
}

}  // namespace orepa
