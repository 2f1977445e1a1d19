#include "layers/image_source.h"

namespace orepa {
namespace {

class Data : public ImageSource {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options data = setup.options().message("data_param");
    for (const char* field : {"scale", "mean_file", "crop_size", "mirror"})
      setup.require(!data.has(field), "data_param.", field,
                    " is an old form; write it into transform_param");
    setup.require(!data.has("rand_skip"), "data_param.rand_skip is not supported; use shuffle");
    ImageSourceOptions options;
    options.source = open_data_source(data, wants_labels(setup));
    options.batch_size = data.integer("batch_size");
    options.shuffle = data.has("shuffle") ? data.flag("shuffle") : setup.phase() == Phase::kTrain;
    options.as_stored = !data.flag("force_encoded_color");
    options.prefetch = static_cast<int>(data.integer("prefetch"));
    options.threads = static_cast<int>(data.integer("threads"));
    options.max_broken = data.number("max_broken");
    return set_up(setup, options);
  }
};

OREPA_LAYER(Data, "images and labels from files, batch after batch, over and over");

}  // namespace
}  // namespace orepa
