#include <fcntl.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/stubs/logging.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>

#include "caffe_legacy.pb.h"
#include "core/input_file.h"
#include "io/legacy/layer_types.h"
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

// `layer` is of today's, of V1's or of V0's.
template <class Layer>
StoredBlob stored(const Layer& layer, const std::string& type, int index, const std::string& path) {
  const BlobProto& blob = layer.blobs(index);
  StoredBlob result{layer.name(), std::to_string(index), shape_of(blob), {}, type};
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

int opened(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  require(file >= 0, path, ": cannot be read: ", std::strerror(errno));
  return file;
}

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path), stream_(opened(path)) {
    stream_.SetCloseOnDelete(true);
  }

  std::vector<StoredBlob> read() {
    while (const uint32_t tag = in_.ReadTag()) {
      if (tag == tag_of(NetParameter::kLayerFieldNumber))
        read_layer();
      else if (tag == tag_of(V1NetParameter::kLayersFieldNumber))
        read_v1_layer();
      else
        require_whole(skip(in_, tag & ((1 << kWireBits) - 1)));
    }
    require_whole(in_.ConsumedEntireMessage());
    require(stream_.ByteCount() > 0, path_, ": is empty");
    require(layers_, path_, ": has no layers");
    return std::move(blobs_);
  }

 private:
  static constexpr uint32_t tag_of(int field) {
    return static_cast<uint32_t>(field) << kWireBits | kWithLength;
  }
  void require_whole(bool whole) const {
    require(whole, path_, ": is no .caffemodel, or it is damaged or cut short");
  }
  void read_layer() {
    LayerParameter layer;
    require_whole(read_message(in_, layer));
    add(layer, layer.type());
  }
  void read_v1_layer() {
    V1LayerParameter layer;
    require_whole(read_message(in_, layer));
    if (layer.has_layer())
      add(layer.layer(), type_of_v0(layer.layer().type()));
    else
      add(layer, type_of_v1(layer.type()));
  }
  template <class Layer>
  void add(const Layer& layer, const std::string& type) {
    layers_ = true;
    for (int i = 0; i < layer.blobs_size(); ++i) blobs_.push_back(stored(layer, type, i, path_));
  }

  const std::string& path_;
  google::protobuf::io::FileInputStream stream_;  // unlike others, it skips without reading
  CodedInputStream in_{&stream_};
  std::vector<StoredBlob> blobs_;
  bool layers_ = false;
};

}  // namespace

// Layer by layer: a large file need not be in memory twice, and a layer of two bytes takes half a
// kilobyte of it.
std::vector<StoredBlob> read_caffemodel(const std::string& path) {
  require_regular_file(path);
  const auto size = std::filesystem::file_size(path);
  require(size <= kMostBytes, path, ": has ", size,
          " bytes, more than the 2 GiB of a .caffemodel; write such weights as .h5");
  const google::protobuf::LogSilencer silence;  // a text that is not UTF-8 is reported to stderr
  return Reader(path).read();
}

std::string caffemodel_bytes(const std::string& path, const NetParameter& net) {
  require(net.ByteSizeLong() <= kMostBytes, path,
          ": would be larger than the 2 GiB that readers of .caffemodel accept; use .h5");
  return net.SerializePartialAsString();
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
  return caffemodel_bytes(path, net);
}

}  // namespace orepa
