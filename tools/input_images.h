// InputImages: image files as a net of phase TEST sees them: what its Data layer would make.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "data/augment.h"
#include "data/sample_loader.h"

namespace orepa::tool {

// Files that the command line names; their label is 0.
class NamedFiles : public DataSource {
 public:
  explicit NamedFiles(std::vector<std::string> paths) : paths_(std::move(paths)) {}
  int64_t size() const override { return static_cast<int64_t>(paths_.size()); }
  void read(int64_t index, Record& record) const override;
  std::string name(int64_t index) const override { return paths_[static_cast<size_t>(index)]; }

 private:
  std::vector<std::string> paths_;
};

class InputImages {
 public:
  // Of C x H x W, of which C is 1 (grey) or 3. Throws Error where the transforms have another
  // number of channels.
  InputImages(std::vector<std::string> paths, const Options& transform_param,
              const Loading& loading, const Shape& image);

  int64_t size() const { return files_.size(); }
  // Numbers of the file, in Caffe's order. Throws Error that names it.
  std::vector<float> read(int64_t index);

 private:
  NamedFiles files_;
  Augment augment_;
  ImageFormat format_;
  std::vector<float> means_, scales_, mean_image_;  // the last one with channels innermost
  SampleLoader loader_;
};

}  // namespace orepa::tool
