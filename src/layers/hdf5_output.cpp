// HDF5Output: writes its bottoms, the arrays `data` and `label`, of all passes behind each other.
#include <memory>

#include "data/batch_file.h"
#include "orepa/layer.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

class HDF5Output : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override;
  void forward(Pass& pass) override { file_->add(pass.device(), {pass.input(0), pass.input(1)}); }
  bool writes_files() const override { return true; }
  void finish_files() override { file_->finish(); }
  void drop_files() override { file_->drop(); }

 private:
  std::shared_ptr<BatchFile> file_;
};

std::vector<Shape> HDF5Output::setup(Setup& setup) {
  const std::string path = setup.options().message("hdf5_output_param").string("file_name");
  setup.require(!path.empty(), "hdf5_output_param.file_name is missing: the file that it writes");
  const Shape &data = setup.input(0), &label = setup.input(1);
  setup.require(data.rank() > 0 && label.rank() > 0 && data[0] == label[0],
                "expected as many rows of data as of labels, got ", data.str(), " and ",
                label.str());
  setup.require(setup.ranks() == nullptr, "writes what one process sees, but several share each ",
                "batch; run one, or leave the layer out");
  file_ =
      open_batch_file(path, {"data", "label"}, setup.phase() == Phase::kTrain ? "TRAIN" : "TEST");
  setup.forward_only();
  return {};
}

OREPA_LAYER(HDF5Output, "writes its bottoms, data and label, into an HDF5 file, pass behind pass")
    .onnx([](const OnnxLayer&) {});

}  // namespace
}  // namespace orepa
