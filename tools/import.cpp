#include <iostream>

#include "command.h"
#include "flags.h"
#include "io/drafts.h"
#include "orepa/model.h"
#include "orepa/published.h"
#include "orepa/weights.h"

DEFINE_string(from, "", "format to read: orepa-pytorch");

namespace orepa::tool {
namespace {

void run() {
  choice("from", FLAGS_from, {"orepa-pytorch"});
  require_not_read(FLAGS_output, {FLAGS_model, FLAGS_input});
  const NetSpec spec = NetSpec::read(FLAGS_model);
  const std::unique_ptr<Device> device = make_device();
  NetOptions options = inference_options();
  options.batch_size = 1;  // its parameters are all that is wanted
  Model model(spec, *device, options);
  import_published(FLAGS_input, spec, model.parameters);
  save_weights(FLAGS_output, spec, model.parameters);
  std::cout << "written: " << FLAGS_output << "\n";
}

const CommandRegistrar registrar({"import",
                                  "weights from a checkpoint of the published PyTorch code",
                                  {"from", "model", "input", "output"},
                                  {},
                                  run});

}  // namespace
}  // namespace orepa::tool
