// MemoryData: samples that the program holds in memory, which passes walk through batch by batch,
// over and over.
#pragma once
#include <memory>
#include <vector>

#include "core/upload.h"
#include "data/sample_order.h"
#include "orepa/layer.h"

namespace orepa {

// Tops: images N x C x H x W and, where a second is named, labels N.
class MemoryData : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override;
  void forward(Pass& pass) override;
  std::optional<int64_t> sample(int64_t index, int64_t row) const override {
    return order_.sample(order_.walked(index, row));
  }
  // All samples of a top, in Caffe's order, instead of those that it had. Throws Error unless they
  // are whole ones, one at least.
  void set(size_t top, const std::vector<float>& values);

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

}  // namespace orepa
