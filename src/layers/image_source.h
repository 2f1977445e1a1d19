// ImageSource: what the layers have in common whose samples are images and labels: Data, ImageData,
// WindowData.
#pragma once
#include <memory>

#include "data/batch_loader.h"
#include "data/prefetcher.h"
#include "orepa/layer.h"

namespace orepa {

// Threads that read and decode where nobody says how many: the processors of this process that do
// not train, one at least.
int decoding_threads(const Device& device);

struct ImageSourceOptions {
  std::shared_ptr<const DataSource> source;
  int64_t batch_size = 0;
  bool shuffle = false;
  // Of windows: the first samples are the foreground, of which each batch has this fraction.
  struct Foreground {
    int64_t samples;
    float fraction;
  };
  std::optional<Foreground> foreground;
  bool as_stored = false;  // see image_format()
  int prefetch = 4;        // batches
  int threads = 0;         // 0: decoding_threads()
  double max_broken = 0.01;
  Loading loading;
};

// Tops: images N x C x H x W and, where a second is named, labels N.
class ImageSource : public Layer {
 public:
  void forward(Pass& pass) override;
  std::optional<int64_t> sample(int64_t index, int64_t row) const override {
    return loader_->sample(index, row);
  }
  std::vector<std::string> take_notes() override { return loader_->take_notes(); }

 protected:
  // Whether labels are wanted. Throws Error where the tops are others.
  static bool wants_labels(const Setup& setup);
  std::vector<Shape> set_up(Setup& setup, const ImageSourceOptions& options);

 private:
  void start(Device& device);

  std::unique_ptr<BatchLoader> loader_;
  PrefetchOptions prefetch_;
  bool labels_ = false;
  Handle batch_ = 0, mean_ = 0, scale_ = 0, mean_image_ = 0;
  int64_t mean_width_ = 0;                  // 0 where there is no mean image
  std::unique_ptr<Prefetcher> prefetcher_;  // with the first pass
};

}  // namespace orepa
