#include "layers/image_source.h"

#include <omp.h>

#include <algorithm>

#include "core/processors.h"
#include "layers/normalize.h"
#include "layers/source_order.h"
#include "orepa/numbers.h"

namespace orepa {

int decoding_threads(const Device& device) {
  return std::max(1, processors() - (device.is_cuda() ? 1 : omp_get_max_threads()));
}

bool ImageSource::wants_labels(const Setup& setup) {
  const int tops = setup.outputs();
  setup.require(tops == 1 || tops == 2, "names ", tops,
                " tops, expected one (images) or two (images, labels)");
  return tops == 2;
}

std::vector<Shape> ImageSource::set_up(Setup& setup, const ImageSourceOptions& options) {
  auto augment = std::make_shared<const Augment>(setup.options().message("transform_param"),
                                                 setup.phase() == Phase::kTrain, setup.seed(),
                                                 options.loading, setup.takes_image_size());
  SampleOrder order =
      source_order(setup, options.source->size(), options.batch_size, options.shuffle);
  if (const auto& foreground = options.foreground) {
    const auto batch = static_cast<float>(order.batch_size);
    order.foreground = {foreground->samples, static_cast<int64_t>(batch * foreground->fraction)};
    order.batches = 0;
    setup.require(order.foreground->rows == 0 || foreground->samples > 0,
                  "wants foreground (fg_fraction ", foreground->fraction,
                  "), but no window overlaps as fg_threshold says");
    setup.require(order.foreground->rows == order.batch_size || foreground->samples < order.samples,
                  "wants background (fg_fraction ", foreground->fraction,
                  "), but no window overlaps as bg_threshold says");
  } else {
    setup.samples(order.samples);  // there is no walk over windows, of which each part has its own
  }
  const int threads = options.threads > 0 ? options.threads : decoding_threads(setup.device());
  loader_ = std::make_unique<BatchLoader>(options.source, augment, order, options.as_stored,
                                          threads, options.max_broken);
  prefetch_ = {order.rows, loader_->layout().bytes(), options.prefetch, threads};

  const ImageFormat& format = loader_->format();
  const auto numbers = [&](const std::vector<float>& values) {
    return setup.constant({format.channels}, [values] { return values; });
  };
  mean_ = numbers(augment->means(format.channels));
  if (const MeanImage* mean = augment->mean_image()) {
    setup.require(mean->channels == format.channels, "transform_param.mean_file has ",
                  mean->channels, " channels, images have ", format.channels);
    mean_width_ = mean->extent.width;
    mean_image_ = setup.constant({1, mean->channels, mean->extent.height, mean->extent.width},
                                 [augment, mean] { return mean->values; });
  }
  scale_ = numbers(augment->scales(format.channels));
  batch_ = setup.scratch(Stage::kForward, loader_->layout().labels());
  setup.forward_only();
  std::vector<Shape> shapes{
      {order.rows, format.channels, format.extent.height, format.extent.width}};
  labels_ = setup.outputs() == 2;
  if (!labels_) return shapes;
  shapes.push_back({order.rows});
  if (const DataSource::Labels* labels = options.source->labels())
    setup.labels(1, {labels->least, labels->most});
  return shapes;
}

void ImageSource::start(Device& device) {
  prefetcher_ = std::make_unique<Prefetcher>(
      device, prefetch_,
      [this](int thread, int64_t index, int64_t row, char* batch) {
        loader_->fill(thread, index, row, batch);
      },
      [this](int64_t index) { return loader_->order().next(index); });
}

void ImageSource::forward(Pass& pass) {
  Device& device = pass.device();
  if (!prefetcher_) start(device);
  const char* batch = prefetcher_->take(pass.index());
  const BatchLayout layout = loader_->layout();
  const auto* stored = static_cast<const char*>(pass.memory(batch_));
  device.copy_to_device(pass.memory(batch_), batch, layout.labels());
  if (labels_)
    device.copy_to_device(pass.output(1).data, batch + layout.labels(), pass.output(1).bytes());
  prefetcher_->sent();

  const ImageFormat& format = loader_->format();
  const auto normalize = [&](const auto* pixels) {
    const auto extent = [](int64_t count) { return static_cast<int32_t>(count); };
    parallel_rows(
        device, layout.rows * format.extent.height, format.extent.width,
        Normalize<std::remove_cvref_t<decltype(*pixels)>>{
            pixels, reinterpret_cast<const Frame*>(stored + layout.frames()), pass.floats(mean_),
            pass.floats(scale_), mean_width_ > 0 ? pass.floats(mean_image_) : nullptr,
            extent(format.extent.height), extent(format.extent.width), extent(format.channels),
            extent(mean_width_), pass.output(0).floats()});
  };
  if (format.numbers)
    normalize(reinterpret_cast<const float*>(stored));
  else
    normalize(reinterpret_cast<const unsigned char*>(stored));
}

}  // namespace orepa
