// Model: a network for use, with all that it needs: parameters, memory, and the net that runs.
//
//   const auto device = make_device("cpu");
//   Model model(NetSpec::read("deploy.prototxt"), *device);
//   load_weights({"deploy.caffemodel"}, model.parameters, true);
//   const Blobs outputs = model.run({{"data", pixels}});
//   const Blobs of_another_size = model.run({{"data", more}}, {{"data", {1, 3, 320, 256}}});
#pragma once
#include <map>
#include <string>
#include <vector>

#include "orepa/net_cache.h"

namespace orepa {

// Values by the name of their blob, in Caffe's order (row-major).
using Blobs = std::map<std::string, std::vector<float>>;

// Of phase TEST, with weights that stay as they are: they are packed once.
NetOptions inference_options();

// One thread at a time; the device must outlive it.
struct Model {
  // Parameters get the values of their fillers (seed 0). Gradients have memory where the options
  // ask for phase TRAIN or for gradients of inputs. Throws Error as Net does.
  Model(const NetSpec& spec, Device& device, const NetOptions& options = inference_options());

  // One forward pass; a net with a source of data takes its next batch. `shapes` are of inputs that
  // differ from the prototxt's. Throws Error unless `inputs` are those of net.inputs(), each with
  // as many numbers as its shape has.
  Blobs run(const Blobs& inputs, const std::map<std::string, Shape>& shapes = {});

  Parameters parameters;
  Arena arena;
  NetCache nets;
  Net& net;  // of the shapes that the prototxt or the options say

 private:
  int64_t passes_ = 0;
};

}  // namespace orepa
