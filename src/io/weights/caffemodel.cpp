#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/stubs/logging.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>

#include "core/input_file.h"
#include "io/weights/stored_blobs.h"
#include "orepa.pb.h"
#include "orepa/error.h"

namespace orepa {
namespace {

using google::protobuf::io::CodedInputStream;

// What protobuf reads of one file.
constexpr uint32_t kMostBytes = std::numeric_limits<int>::max();

// A tag of the wire format is a field's number and, in its lowest three bits, how its value is
// written.
constexpr int kWireBits = 3;
enum Wire { kVarint = 0, kEightBytes = 1, kWithLength = 2, kFourBytes = 5 };

bool skip(CodedInputStream& in, uint32_t wire) {
  uint64_t number = 0;
  uint32_t length = 0;
  if (wire == kVarint) return in.ReadVarint64(&number);
  if (wire == kEightBytes) return in.Skip(8);
  if (wire == kFourBytes) return in.Skip(4);
  return wire == kWithLength && in.ReadVarint32(&length) && length <= kMostBytes &&
         in.Skip(static_cast<int>(length));
}

bool read_message(CodedInputStream& in, google::protobuf::Message& message) {
  const auto limit = in.ReadLengthAndPushLimit();
  return message.ParsePartialFromCodedStream(&in) &&
         in.CheckEntireMessageConsumedAndPopLimit(limit);
}

// The legacy extents win where any is there, as in Caffe.
Shape shape_of(const BlobProto& blob) {
  if (blob.has_num() || blob.has_channels() || blob.has_height() || blob.has_width())
    return {blob.num(), blob.channels(), blob.height(), blob.width()};
  return Shape(std::vector<int64_t>(blob.shape().dim().begin(), blob.shape().dim().end()));
}

StoredBlob stored(const LayerParameter& layer, int index, const std::string& path) {
  const BlobProto& blob = layer.blobs(index);
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
  return result;
}

}  // namespace

// Layer by layer: a large file need not be in memory twice, and a layer of two bytes takes half a
// kilobyte of it.
std::vector<StoredBlob> read_caffemodel(const std::string& path) {
  require_regular_file(path);
  std::ifstream file(path, std::ios::binary);
  require(file.good(), path, ": cannot be read: ", std::strerror(errno));
  google::protobuf::io::IstreamInputStream stream(&file);
  CodedInputStream in(&stream);
  const google::protobuf::LogSilencer silence;  // a text that is not UTF-8 is reported to stderr
  std::vector<StoredBlob> blobs;
  bool layers = false;
  const std::string damaged = path + ": is no .caffemodel, or it is damaged or cut short";
  while (const uint32_t tag = in.ReadTag()) {
    if (tag != (NetParameter::kLayerFieldNumber << kWireBits | kWithLength)) {
      require(skip(in, tag & ((1 << kWireBits) - 1)), damaged);
      continue;
    }
    LayerParameter layer;
    require(read_message(in, layer), damaged);
    layers = true;
    for (int i = 0; i < layer.blobs_size(); ++i) blobs.push_back(stored(layer, i, path));
  }
  require(in.ConsumedEntireMessage(), damaged);
  require(stream.ByteCount() > 0, path, ": is empty");
  require(layers, path,
          ": has no layers; files of Caffe's first format (V1, before 2015) have to be upgraded "
          "with its upgrade_net_proto_binary");
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
