#include <iostream>
#include <optional>

#include "command.h"
#include "flags.h"
#include "io/drafts.h"
#include "orepa/model.h"
#include "orepa/published.h"
#include "orepa/weights.h"

DEFINE_string(trained, "",
              "prototxt before merging, whose blocks name a deploy net's convolutions");

namespace orepa::tool {
namespace {

void run() {
  choice("to", FLAGS_to, {"orepa-pytorch"});
  std::vector<std::string> files = split(FLAGS_weights);
  files.insert(files.end(), {FLAGS_model, FLAGS_trained});
  require_not_read(FLAGS_output, files);
  const NetSpec spec = NetSpec::read(FLAGS_model);
  std::optional<NetSpec> trained;
  if (!FLAGS_trained.empty()) trained.emplace(NetSpec::read(FLAGS_trained));
  const std::unique_ptr<Device> device = make_device();
  NetOptions options = inference_options();
  options.batch_size = 1;  // its parameters are all that is wanted
  Model model(spec, *device, options);
  load_weights(split(FLAGS_weights), model.parameters, true);
  export_published(FLAGS_output, spec, model.parameters, trained ? &*trained : nullptr);
  std::cout << "written: " << FLAGS_output << "\n";
}

const CommandRegistrar registrar({"export",
                                  "a checkpoint for the published PyTorch code from weights",
                                  {"to", "model", "weights", "output"},
                                  {"trained"},
                                  run});

}  // namespace
}  // namespace orepa::tool
