#include "data/sources/windows.h"
#include "layers/image_source.h"

namespace orepa {
namespace {

class WindowData : public ImageSource {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options data = setup.options().message("window_data_param");
    for (const char* field : {"scale", "mean_file", "crop_size", "mirror"})
      setup.require(!data.has(field), "window_data_param.", field,
                    " is an old form; write it into transform_param");
    wants_labels(setup);
    const std::string mode = data.string("crop_mode");
    setup.require(mode == "warp" || mode == "square",
                  "window_data_param.crop_mode must be \"warp\" ", "or \"square\", got \"", mode,
                  "\"");
    const double fraction = data.number("fg_fraction");
    setup.require(fraction >= 0 && fraction <= 1,
                  "window_data_param.fg_fraction must lie in [0, 1], got ", fraction);
    const auto file = std::make_shared<const WindowFile>(
        WindowOptions{data.string("source"), data.string("root_folder"),
                      static_cast<float>(data.number("fg_threshold")),
                      static_cast<float>(data.number("bg_threshold")), data.flag("cache_images")});
    ImageSourceOptions options;
    options.source = file;
    options.batch_size = data.integer("batch_size");
    options.shuffle = true;
    options.foreground = {file->foreground(), static_cast<float>(fraction)};
    options.loading.windows = Loading::Windows{data.integer("context_pad"), mode == "square"};
    return set_up(setup, options);
  }
};

OREPA_LAYER(WindowData, "windows of images and their classes, from an R-CNN window file");

}  // namespace
}  // namespace orepa
