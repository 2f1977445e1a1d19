#include <chrono>
#include <iostream>

#include "command.h"
#include "flags.h"
#include "nets.h"
#include "orepa/evaluate.h"
#include "table.h"

namespace orepa::tool {
namespace {

void print(const Evaluation::Output& output) {
  for (size_t i = 0; i < output.values.size(); ++i) {
    std::cout << output.blob;
    if (output.values.size() > 1) std::cout << '[' << i << ']';
    std::cout << " = " << output.values[i] << '\n';
  }
}

void test() {
  const NetOptions options = net_options(Phase::kTest);
  const NetSpec spec = NetSpec::read(FLAGS_model);
  const std::unique_ptr<Device> device = make_device();
  Parameters parameters(*device, 0, false);
  Arena arena(*device);
  Evaluator evaluator(spec, parameters, arena, options);
  report_precision(evaluator.net());
  load_and_report(split(FLAGS_weights), parameters, true);
  if (evaluator.net().samples() == 0 && !evaluator.net().inputs().empty())
    fail(spec.name(),
         ": a net with Input layers has no data to be tested on; its TEST phase needs ",
         "a source such as a Data layer, or use `orepa_tool run`");

  const auto start = std::chrono::steady_clock::now();
  const Evaluation evaluation = evaluator.run(iterations(0));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  report_notes(evaluator.take_notes());
  std::cout << "tested " << grouped(evaluation.samples) << " samples in "
            << decimals(seconds.count(), 2) << " s ("
            << grouped(static_cast<int64_t>(evaluation.samples / seconds.count()))
            << " images/s)\n";
  for (const Evaluation::Output& output : evaluation.outputs) print(output);
}

const CommandRegistrar registrar({"test",
                                  "measure a net on its whole test set",
                                  {"model", "weights"},
                                  {"weights_strict", "iterations", "level", "stage", "algorithm",
                                   "precision", "device", "gpu", "tf32"},
                                  test});

}  // namespace
}  // namespace orepa::tool
