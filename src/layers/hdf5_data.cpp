#include "data/array_table.h"
#include "data/prefetcher.h"
#include "layers/source_order.h"

namespace orepa {
namespace {

// Tops: the arrays of the files that have their names, as they are stored.
class HDF5Data : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options data = setup.options().message("hdf5_data_param");
    const std::string list = data.string("source");
    setup.require(!list.empty(), "hdf5_data_param.source is missing: a text file that names an ",
                  "HDF5 file a line");
    setup.require(!setup.options().has("transform_param"),
                  "takes numbers as they are; transform_param is of images");
    const std::vector<std::string> names = setup.options().strings("top");
    setup.require(!names.empty(), "names no top; each is an array of the files");
    table_ = std::make_unique<ArrayTable>(list, names);
    order_ = source_order(setup, table_->rows(), data.integer("batch_size"), data.flag("shuffle"));
    setup.samples(order_.samples);
    setup.forward_only();

    std::vector<Shape> shapes;
    for (size_t array = 0; array < names.size(); ++array) {
      std::vector<int64_t> extents = table_->row_shape(array).extents();
      extents.insert(extents.begin(), order_.rows);
      shapes.emplace_back(std::move(extents));
      starts_.push_back(bytes_);
      bytes_ += shapes.back().bytes();
    }
    return shapes;
  }

  void forward(Pass& pass) override {
    Device& device = pass.device();
    if (!prefetcher_) start(device);
    const char* batch = prefetcher_->take(pass.index());
    for (size_t top = 0; top < starts_.size(); ++top) {
      const Tensor output = pass.output(static_cast<int>(top));
      device.copy_to_device(output.floats(), batch + starts_[top], output.bytes());
    }
    prefetcher_->sent();
  }

  std::optional<int64_t> sample(int64_t index, int64_t row) const override {
    return order_.sample(order_.walked(index, row));
  }

 private:
  // One thread: HDF5 lets no more of them in.
  void start(Device& device) {
    constexpr int kBatches = 4;
    prefetcher_ = std::make_unique<Prefetcher>(
        device, PrefetchOptions{order_.rows, bytes_, kBatches, 1},
        [this](int, int64_t index, int64_t row, char* batch) { fill(index, row, batch); },
        [this](int64_t index) { return order_.next(index); });
  }
  void fill(int64_t index, int64_t row, char* batch) {
    const int64_t stored = order_.sample(order_.walked(index, row));
    for (size_t array = 0; array < starts_.size(); ++array) {
      std::vector<int64_t> extents = table_->row_shape(array).extents();
      extents.insert(extents.begin(), 1);
      const Shape shape(std::move(extents));
      row_.resize(static_cast<size_t>(shape.count()));
      table_->read(array, stored, row_.data());
      auto* rows = reinterpret_cast<float*>(batch + starts_[array]);
      from_caffe_order(shape, row_.data(), rows + row * shape.count());
    }
  }

  std::unique_ptr<ArrayTable> table_;
  SampleOrder order_;
  std::vector<int64_t> starts_;  // of the tops, in the memory of a batch
  int64_t bytes_ = 0;            // of a batch
  std::vector<float> row_;
  std::unique_ptr<Prefetcher> prefetcher_;  // with the first pass
};

OREPA_LAYER(HDF5Data, "arrays of HDF5 files, batch after batch, over and over");

}  // namespace
}  // namespace orepa
