#include "orepa/model.h"

#include <algorithm>

#include "orepa/error.h"

namespace orepa {

NetOptions inference_options() {
  NetOptions options;
  options.weights_change_every_pass = false;
  return options;
}

Model::Model(const NetSpec& spec, Device& device, const NetOptions& options)
    : parameters(device, 0, options.phase == Phase::kTrain || options.input_gradients),
      arena(device),
      nets(spec, parameters, arena, options),
      net(nets.first()) {}

Blobs Model::run(const Blobs& inputs, const std::map<std::string, Shape>& shapes) {
  Net& net = nets.of({0, 0, shapes});
  std::vector<std::string> names;
  for (const Net::Blob& input : net.inputs()) {
    names.push_back(input.name);
    require(inputs.contains(input.name), "input \"", input.name, "\" has no values; it takes ",
            input.shape.str(), " numbers");
  }
  for (const auto& [name, values] : inputs) {
    require(std::find(names.begin(), names.end(), name) != names.end(), "the net has no input \"",
            name, "\"", did_you_mean(name, names));
    net.set(name, values);
  }
  net.prepare();
  net.forward(passes_++);
  Blobs outputs;
  for (const Net::Blob& output : net.outputs()) outputs[output.name] = net.read(output.name);
  return outputs;
}

}  // namespace orepa
