// MemoryData: samples that the program holds in memory, which passes walk through batch by batch,
// over and over.
#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "core/upload.h"
#include "layers/source_order.h"
#include "orepa/layer.h"

namespace orepa {
namespace {

// Tops: images N x C x H x W and, where a second is named, labels N.
class MemoryData : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override;
  void forward(Pass& pass) override;
  std::optional<int64_t> sample(int64_t index, int64_t row) const override {
    return order_.sample(order_.walked(index, row));
  }
  // Throws Error unless they are whole ones, one at least.
  bool set_samples(int top, const std::vector<float>& values) override;

 private:
  struct Top {
    std::string name;
    Shape row;                  // 1 x C x H x W, or 1
    std::vector<float> values;  // as they are stored in a batch
    std::unique_ptr<Upload> upload;
    int64_t samples() const { return static_cast<int64_t>(values.size()) / row.count(); }
  };
  std::vector<Top> tops_;
  SampleOrder order_;
};

std::vector<Shape> MemoryData::setup(Setup& setup) {
  const Options data = setup.options().message("memory_data_param");
  setup.require(!setup.options().has("transform_param"),
                "takes numbers as they are; transform_param is of images in files");
  const std::vector<std::string> names = setup.options().strings("top");
  setup.require(names.size() == 1 || names.size() == 2, "names ", names.size(),
                " tops, expected one (images) or two (images, labels)");
  std::vector<int64_t> extents{1};
  for (const char* field : {"channels", "height", "width"}) {
    extents.push_back(data.integer(field));
    setup.require(extents.back() > 0, "memory_data_param.", field, " is missing");
  }
  order_ = source_order(setup, 0, data.integer("batch_size"), false);
  setup.forward_only();
  tops_.push_back({names[0], Shape(extents), {}, nullptr});
  extents[0] = order_.rows;
  std::vector<Shape> shapes{Shape(extents)};
  if (names.size() == 1) return shapes;
  tops_.push_back({names[1], {1}, {}, nullptr});
  shapes.push_back({order_.rows});
  return shapes;
}

bool MemoryData::set_samples(int index, const std::vector<float>& values) {
  Top& top = tops_[static_cast<size_t>(index)];
  const auto count = static_cast<int64_t>(values.size());
  require(count > 0 && count % top.row.count() == 0, "blob \"", top.name, "\" was given ", count,
          " numbers, expected ", top.row.count(), " for each of its samples");
  std::vector<int64_t> extents = top.row.extents();
  extents[0] = count / top.row.count();
  top.values.resize(values.size());
  from_caffe_order(Shape(extents), values.data(), top.values.data());
  return true;
}

void MemoryData::forward(Pass& pass) {
  const int64_t samples = tops_[0].samples();
  for (const Top& top : tops_) {
    require(top.samples() > 0, "top \"", top.name, "\" has no samples; they come from the program ",
            "(Net::set), and orepa_tool has none: a Data, ImageData or HDF5Data layer reads files");
    require(top.samples() == samples, "top \"", top.name, "\" has ", top.samples(),
            " samples, but \"", tops_[0].name, "\" has ", samples);
  }
  order_.samples = samples;
  for (size_t t = 0; t < tops_.size(); ++t) {
    Top& top = tops_[t];
    const int64_t count = top.row.count();
    const Tensor output = pass.output(static_cast<int>(t));
    if (!top.upload) top.upload = std::make_unique<Upload>(pass.device(), output.bytes());
    float* to = top.upload->fill_floats();
    for (int64_t row = 0; row < order_.rows; ++row)
      std::copy_n(top.values.data() + *sample(pass.index(), row) * count, count, to + row * count);
    top.upload->send(output.data);
  }
}

OREPA_LAYER(MemoryData, "samples that the program gives (Net::set), batch after batch");

}  // namespace
}  // namespace orepa
