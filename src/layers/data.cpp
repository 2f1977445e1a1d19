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
    options.prefetch = count(setup, data, "prefetch");
    options.threads = count(setup, data, "threads");
    options.max_broken = data.number("max_broken");
    setup.require(options.max_broken >= 0 && options.max_broken <= 1,
                  "data_param.max_broken must lie in [0, 1], got ", options.max_broken);
    return set_up(setup, options);
  }

 private:
  static int count(const Setup& setup, const Options& data, const char* field) {
    const int64_t value = data.integer(field);
    setup.require(value <= 1000, "data_param.", field, " must be 1000 at most, got ", value);
    return static_cast<int>(value);
  }
};

OREPA_LAYER(Data, "images and labels from files, batch after batch, over and over");

}  // namespace
}  // namespace orepa
