#include "tests/cudnn/zoo_convolutions.h"

#include <filesystem>
#include <memory>
#include <regex>
#include <string>

#include "orepa/net.h"
#include "tests/kernel_device.h"

namespace orepa {
namespace {

// Plans that take no memory and compute nothing.
class NoConvolution : public ConvolutionPlan {
 public:
  int64_t packed_bytes(Direction) const override { return 0; }
  int packed_layout(Direction) const override { return 0; }
  void pack(Direction, const float*, void*) override {}
  int64_t forward_workspace() const override { return 0; }
  int64_t backward_data_workspace() const override { return 0; }
  int64_t backward_kernel_workspace() const override { return 0; }
  void forward(const void*, const void*, const float*, void*, void*) override {}
  void backward_data(const void*, const void*, void*, void*) override {}
  void backward_kernel(const void*, const void*, float*, bool, void*) override {}
  std::string algorithm() const override { return "none"; }
};

class NoBatchNorm : public BatchNormPlan {
 public:
  int64_t saved_bytes() const override { return 0; }
  int64_t forward_workspace() const override { return 0; }
  int64_t backward_workspace() const override { return 0; }
  void forward(const void*, const float*, const float*, void*, float*, float*, void*,
               void*) override {}
  void normalize(const void*, const float*, const float*, const float*, const float*, void*,
                 void*) override {}
  void backward(const void*, const void*, const float*, const float*, const float*, const void*,
                void*, float*, float*, void*) override {}
};

class NoPooling : public PoolingPlan {
 public:
  int64_t saved_bytes() const override { return 0; }
  int64_t backward_workspace() const override { return 0; }
  void forward(const void*, void*, void*) override {}
  void backward(const void*, const void*, void*, void*) override {}
};

// For nets of shapes only. Remembers which convolutions it was asked for.
class Recorder : public KernelDevice {
 public:
  Support bfloat16() const override { return Support::kFull; }
  std::shared_ptr<ConvolutionPlan> convolution(const ConvolutionGeometry& geometry) override {
    convolutions.insert(geometry);
    return std::make_shared<NoConvolution>();
  }
  std::shared_ptr<BatchNormPlan> batch_norm(const BatchNormGeometry&) override {
    return std::make_shared<NoBatchNorm>();
  }
  std::shared_ptr<PoolingPlan> pooling(const PoolingGeometry&) override {
    return std::make_shared<NoPooling>();
  }
  std::set<ConvolutionGeometry> convolutions;
};

void build(const NetSpec& spec, Phase phase, int64_t batch, DType precision, Recorder& recorder) {
  Parameters parameters(recorder, 1, phase == Phase::kTrain);
  Arena arena(recorder);
  NetOptions options;
  options.phase = phase;
  options.batch_size = batch;
  options.precision = precision;
  options.allocate = false;
  const Net net(spec, parameters, arena, options);
}

}  // namespace

std::set<ConvolutionGeometry> zoo_convolutions(const std::string& nets, int64_t batch,
                                               DType precision) {
  const std::regex pattern(nets);
  Recorder recorder;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(OREPA_MODELS)) {
    const std::string file = entry.path().filename();
    if (file != "train_val.prototxt" && file != "deploy.prototxt") continue;
    if (!std::regex_match(entry.path().lexically_relative(OREPA_MODELS).string(), pattern))
      continue;
    const NetSpec spec = NetSpec::read(entry.path());
    build(spec, Phase::kTest, batch, precision, recorder);
    if (file == "train_val.prototxt") build(spec, Phase::kTrain, batch, precision, recorder);
  }
  return recorder.convolutions;
}

}  // namespace orepa
