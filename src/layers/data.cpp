#include "core/upload.h"
#include "data/batch_loader.h"
#include "orepa/layer.h"

namespace orepa {
namespace {

// Tops: images N x C x H x W and, where a second is named, labels N.
class Data : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const int tops = setup.outputs();
    setup.require(tops == 1 || tops == 2, "names ", tops,
                  " tops, expected one (images) or two (images, labels)");
    const Options data = setup.options().message("data_param");
    for (const char* field : {"scale", "mean_file", "crop_size", "mirror"})
      setup.require(!data.has(field), "data_param.", field,
                    " is an old form; write it into transform_param");
    setup.require(!data.has("rand_skip"), "data_param.rand_skip is not supported; use shuffle");
    setup.require(!data.flag("force_encoded_color"),
                  "data_param.force_encoded_color is for encoded images only");
    const int64_t batch_size =
        setup.batch_size_override() > 0 ? setup.batch_size_override() : data.integer("batch_size");
    setup.require(batch_size > 0, "data_param.batch_size is missing");
    const bool train = setup.phase() == Phase::kTrain;
    std::unique_ptr<DataSource> source = open_data_source(data, tops == 2);
    Transform transform(setup.options().message("transform_param"), source->sample_shape(), train);
    loader_ = std::make_unique<BatchLoader>(
        std::move(source), std::move(transform), batch_size, setup.first_sample(),
        data.has("shuffle") ? data.flag("shuffle") : train, setup.seed());
    setup.samples(loader_->samples());
    setup.forward_only();
    std::vector<Shape> shapes{loader_->batch_shape()};
    if (tops == 2) shapes.push_back({batch_size});
    tops_ = tops;
    return shapes;
  }

  void forward(Pass& pass) override {
    if (uploads_.empty())
      for (int o = 0; o < tops_; ++o) uploads_.emplace_back(pass.device(), pass.output(o).bytes());
    loader_->fill(pass.index(), uploads_[0].fill_floats(),
                  tops_ == 2 ? uploads_[1].fill_floats() : nullptr);
    for (int o = 0; o < tops_; ++o) uploads_[o].send(pass.output(o).floats());
  }

  std::optional<int64_t> sample(int64_t index, int64_t row) const override {
    return loader_->sample(index, row);
  }

 private:
  std::unique_ptr<BatchLoader> loader_;
  int tops_ = 0;
  std::vector<Upload> uploads_;  // by top
};

OREPA_LAYER(Data, "images and labels from files, batch after batch, over and over");

}  // namespace
}  // namespace orepa
