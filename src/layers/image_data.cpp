#include "layers/image_source.h"

namespace orepa {
namespace {

class ImageData : public ImageSource {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options data = setup.options().message("image_data_param");
    for (const char* field : {"scale", "mean_file", "crop_size", "mirror"})
      setup.require(!data.has(field), "image_data_param.", field,
                    " is an old form; write it into transform_param");
    setup.require(!data.has("rand_skip"),
                  "image_data_param.rand_skip is not supported; use shuffle");
    ImageSourceOptions options;
    options.source = open_data_source({.source = data.string("source"),
                                       .backend = "LIST",
                                       .root_folder = data.string("root_folder")},
                                      wants_labels(setup));
    options.batch_size = data.integer("batch_size");
    options.shuffle = data.flag("shuffle");
    options.loading.size = {data.integer("new_height"), data.integer("new_width")};
    options.loading.gray = !data.flag("is_color");
    setup.require((options.loading.size.height > 0) == (options.loading.size.width > 0),
                  "image_data_param.new_height and new_width go together");
    return set_up(setup, options);
  }
};

OREPA_LAYER(ImageData, "images and labels from a list of files, batch after batch");

}  // namespace
}  // namespace orepa
