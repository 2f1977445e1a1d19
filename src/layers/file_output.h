// HDF5Output: writes its bottoms, the arrays `data` and `label`, of all passes behind each other.
#pragma once
#include <memory>
#include <vector>

#include "data/batch_file.h"
#include "orepa/layer.h"

namespace orepa {

class HDF5Output : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override;
  void forward(Pass& pass) override;
  BatchFile& file() const { return *file_; }

 private:
  std::shared_ptr<BatchFile> file_;
};

}  // namespace orepa
