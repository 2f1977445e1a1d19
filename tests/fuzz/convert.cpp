// A prototxt of a net, converted to Caffe's format and to ONNX and rewritten by every style in
// turn.
#include "orepa/convert.h"

#include <google/protobuf/stubs/logging.h>

#include "orepa/reparam.h"
#include "orepa/weights.h"
#include "tests/fuzz/support.h"
#include "tests/reparam/random_values.h"

using namespace orepa;

namespace {

void write_random_weights(const std::string& path, const NetSpec& spec, Device& device) {
  Parameters parameters(device, 0, false);
  Arena arena(device);
  const Net net(spec, parameters, arena, {});
  fill_as_trained(parameters, 1);
  save_weights(path, spec, parameters);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::unique_ptr<Device> device = make_device("cpu");
  static const google::protobuf::LogSilencer silence;
  const std::string content(reinterpret_cast<const char*>(data), size);
  const std::string weights = fuzz::folder() + "w.h5", place = "";
  fuzz::refuses_or_does(place, [&] {
    const NetSpec spec = NetSpec::parse(content, "net.prototxt");
    if (!fuzz::builds_small(spec, Phase::kTest, *device)) return;
    write_random_weights(weights, spec, *device);
    fuzz::refuses_or_does(place, [&] {
      ConvertOptions options;
      options.output = fuzz::folder() + "deploy.prototxt";
      options.output_weights = fuzz::folder() + "deploy.caffemodel";
      options.output_test = fuzz::folder() + "test.prototxt";
      convert(spec, {weights}, *device, options);
    });
    fuzz::refuses_or_does(place, [&] {
      ConvertOptions options;
      options.format = ConvertOptions::Format::kOnnx;
      options.output = fuzz::folder() + "deploy.onnx";
      convert(spec, {weights}, *device, options);
    });
    fuzz::refuses_or_does(place, [&] {
      ReparamOptions options;
      options.style = reparam_styles()[size % reparam_styles().size()];
      ReparamFiles files;
      files.output = fuzz::folder() + "block.prototxt";
      files.output_weights = fuzz::folder() + "block.h5";
      files.weights = {weights};
      reparam_files(spec, options, files, *device);
    });
  });
  return 0;
}
