// A prototxt of a net, built in both phases, and run where it is small.
#include <google/protobuf/stubs/logging.h>

#include "tests/fuzz/support.h"

using namespace orepa;

namespace {

void run(const NetSpec& spec, Phase phase, Device& device) {
  const bool training = phase == Phase::kTrain;
  Parameters parameters(device, 0, training);
  Arena arena(device);
  NetOptions options;
  options.phase = phase;
  options.weights_change_every_pass = training;
  Net net(spec, parameters, arena, options);
  for (const Net::Blob& input : net.inputs())
    net.set(input.name, std::vector<float>(static_cast<size_t>(input.shape.count()), 0.5f));
  net.prepare();
  net.forward(0);
  net.loss();
  for (const Net::Blob& output : net.outputs()) net.read(output.name);
  if (!training) return;
  parameters.begin_step();
  net.backward();
  net.finish([](const std::vector<Parameter*>&) {});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::unique_ptr<Device> device = make_device("cpu");
  static const google::protobuf::LogSilencer silence;
  const std::string content(reinterpret_cast<const char*>(data), size);
  for (const Phase phase : {Phase::kTest, Phase::kTrain})
    fuzz::refuses_or_does("net.prototxt", [&] {
      const NetSpec spec = NetSpec::parse(content, "net.prototxt");
      if (fuzz::builds_small(spec, phase, *device)) run(spec, phase, *device);
    });
  return 0;
}
