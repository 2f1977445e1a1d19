#include <algorithm>
#include <filesystem>
#include <iostream>

#include "command.h"
#include "data/hdf5_row_writer.h"
#include "data/sources/lmdb_writer.h"
#include "flags.h"
#include "image_layer.h"
#include "io/drafts.h"
#include "nets.h"
#include "orepa.pb.h"
#include "orepa/error.h"
#include "orepa/evaluate.h"
#include "table.h"

DECLARE_string(blobs);

namespace orepa::tool {
namespace {

// Where blobs go, batch after batch.
class BlobOutput {
 public:
  virtual ~BlobOutput() = default;
  // Rows of the samples from `first` on, and their labels, if there are any.
  virtual void add(const std::string& blob, const Shape& shape, const std::vector<float>& values,
                   int64_t first, const std::vector<float>& labels) = 0;
  virtual void finish() = 0;
};

class Hdf5Output : public BlobOutput {
 public:
  Hdf5Output(const std::string& path, const std::map<std::string, Shape>& blobs)
      : writer_(path, blobs) {}
  void add(const std::string& blob, const Shape&, const std::vector<float>& values, int64_t,
           const std::vector<float>&) override {
    writer_.add(blob, values);
  }
  void finish() override { writer_.finish(); }

 private:
  Hdf5RowWriter writer_;
};

// A folder that does not stay unless it is kept.
class NewFolder {
 public:
  explicit NewFolder(const std::string& path) : path_(path) {
    require(!std::filesystem::exists(path), path,
            ": is there already; extract writes a new folder (or a file: --output F.h5)");
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder() {
    std::error_code ignored;
    if (!kept_) std::filesystem::remove_all(path_, ignored);
  }
  // Makes a folder in it; returns its path.
  std::string add(const std::string& name) const {
    const std::string path = (path_ / name).string();
    std::error_code failure;
    const bool made = std::filesystem::create_directories(path, failure);
    require(!failure, path, ": cannot be made: ", failure.message());
    require(made, path, ": would be the folder of two blobs");
    return path;
  }
  void keep() { kept_ = true; }

 private:
  const std::filesystem::path path_;
  bool kept_ = false;
};

// A database a blob, as Caffe's extract_features writes them.
class LmdbOutput : public BlobOutput {
 public:
  LmdbOutput(const std::string& folder, const std::map<std::string, Shape>& blobs)
      : folder_(folder) {
    for (const auto& [blob, shape] : blobs) {
      std::string name = blob;
      std::replace(name.begin(), name.end(), '/', '_');
      writers_[blob] = std::make_unique<LmdbWriter>(folder_.add(name));
    }
  }
  void add(const std::string& blob, const Shape& shape, const std::vector<float>& values,
           int64_t first, const std::vector<float>& labels) override {
    LmdbWriter& writer = *writers_.at(blob);
    const int64_t row = shape.count(1, shape.rank());
    for (int64_t n = 0; n < shape[0]; ++n) {
      Datum datum;
      datum.set_channels(static_cast<int>(shape.rank() > 1 ? shape[1] : 1));
      datum.set_height(static_cast<int>(shape.rank() > 2 ? shape[2] : 1));
      datum.set_width(static_cast<int>(shape.rank() > 3 ? shape.count(3, shape.rank()) : 1));
      const float* numbers = values.data() + n * row;
      datum.mutable_float_data()->Add(numbers, numbers + row);
      if (!labels.empty()) datum.set_label(static_cast<int>(labels[static_cast<size_t>(n)]));
      const std::string number = std::to_string(first + n);
      writer.add(std::string(10 - std::min<size_t>(10, number.size()), '0') + number,
                 datum.SerializeAsString());
    }
    writer.commit();
  }
  void finish() override { folder_.keep(); }

 private:
  NewFolder folder_;  // outlives what is open in it
  std::map<std::string, std::unique_ptr<LmdbWriter>> writers_;
};

// The blob of labels; empty where the net has none.
std::string labels_of(const NetSpec& spec, const NetOptions& options) {
  const auto layer = image_layer(spec, options);
  const std::vector<std::string> tops =
      layer ? layer->options.strings("top") : std::vector<std::string>();
  return tops.size() > 1 ? tops[1] : "";
}

void extract() {
  std::vector<std::string> files = split(FLAGS_weights);
  files.push_back(FLAGS_model);
  require_not_read(FLAGS_output, files);
  const bool hdf5 = FLAGS_output.ends_with(".h5");
  const NetSpec spec = NetSpec::read(FLAGS_model);
  NetOptions options = net_options(Phase::kTest);
  std::vector<std::string> blobs = split(FLAGS_blobs);
  if (blobs.empty()) throw UsageError("--blobs names no blob");
  const std::string labels = labels_of(spec, options);
  options.keep = blobs;
  if (!labels.empty()) options.keep.push_back(labels);
  if (hdf5) blobs = options.keep;

  const std::unique_ptr<Device> device = make_device();
  Parameters parameters(*device, 0, false);
  Arena arena(*device);
  Evaluator evaluator(spec, parameters, arena, options);
  Net& net = evaluator.net();
  report_precision(net);
  load_and_report(split(FLAGS_weights), parameters, true);
  require(net.samples() > 0, spec.name(),
          ": has no source of samples in its phase TEST, such as a Data layer; `orepa_tool run` ",
          "takes tensors of a file");
  std::map<std::string, Shape> shapes;
  for (const std::string& blob : blobs) {
    std::vector<int64_t> extents = net.shape(blob).extents();
    require(!extents.empty() && extents[0] == net.batch_size(), "blob \"", blob, "\" is ",
            net.shape(blob).str(), ", which is no row for each of ", net.batch_size(), " samples");
    extents[0] = net.samples();
    shapes[blob] = Shape(extents);
  }
  std::unique_ptr<BlobOutput> output;
  if (hdf5)
    output = std::make_unique<Hdf5Output>(FLAGS_output, shapes);
  else
    output = std::make_unique<LmdbOutput>(FLAGS_output, shapes);
  evaluator.run(0, {}, {}, [&](Net& batch, int64_t first) {
    const std::vector<float> of_batch = labels.empty() ? std::vector<float>() : batch.read(labels);
    for (const auto& [blob, shape] : shapes)
      output->add(blob, batch.shape(blob), batch.read(blob), first, of_batch);
  });
  output->finish();
  report_notes(evaluator.take_notes());
  std::cout << "wrote " << FLAGS_output << ": " << grouped(net.samples()) << " samples\n";
}

const CommandRegistrar registrar({"extract",
                                  "write blobs of all samples of a net's test set",
                                  {"model", "weights", "blobs", "output"},
                                  {"weights_strict", "level", "stage", "algorithm", "precision",
                                   "device", "gpu", "tf32"},
                                  extract});

}  // namespace
}  // namespace orepa::tool
