#include "orepa/convert.h"

#include <gflags/gflags.h>

#include <iostream>

#include "command.h"
#include "flags.h"
#include "table.h"

DEFINE_string(output_test, "", "also write the merged net with its data and accuracy layers");

namespace orepa::tool {
namespace {

std::string range(const WeightRange& weights) {
  if (weights.empty()) return "";
  return decimals(weights.least, 4) + " .. " + decimals(weights.most, 4);
}

// Which files --to wants.
void check_outputs(bool onnx) {
  if (onnx && !FLAGS_output_weights.empty())
    throw UsageError("--to onnx writes one file with its weights: leave --output_weights out");
  if (onnx && !FLAGS_output_test.empty())
    throw UsageError("--output_test is a net in Caffe's format: it needs --to caffe");
  if (!onnx && FLAGS_output_weights.empty())
    throw UsageError("--to caffe needs --output_weights; for one ONNX file, say --to onnx");
}

void run() {
  ConvertOptions options;
  const bool onnx = !FLAGS_to.empty() && choice("to", FLAGS_to, {"caffe", "onnx"}) == "onnx";
  check_outputs(onnx);
  if (onnx) options.format = ConvertOptions::Format::kOnnx;
  options.output = FLAGS_output;
  options.output_weights = FLAGS_output_weights;
  options.output_test = FLAGS_output_test;
  options.algorithm = net_options(Phase::kTest).algorithm;
  const NetSpec spec = NetSpec::read(FLAGS_model);
  const std::unique_ptr<Device> device = make_cpu_device();
  const ConvertReport report = convert(spec, FLAGS_weights, *device, options);

  Table table({"layer", "merged from", "weights before", "after", "relative error"}, 2);
  for (const ConvertReport::Row& row : report.rows) {
    table.add({row.layer, row.parts, range(row.before), range(row.after), scientific(row.error)});
    for (const ConvertReport::Branch& branch : row.branches)
      table.add({"", "  " + branch.parts, range(branch.weights), "", ""});
  }
  std::cout << table.str();
  if (!report.left.empty()) {
    Table left({"left as it is", "type", "because"}, 3);
    for (const ConvertReport::Left& row : report.left) left.add({row.layer, row.type, row.reason});
    std::cout << "\n" << left.str();
  }
  std::cout << "\nparameters: " << grouped(report.parameters_before) << " -> "
            << grouped(report.parameters_after) << "\nlargest error of the outputs on random "
            << "inputs: " << scientific(report.output_error) << " relative, "
            << scientific(report.output_difference) << " absolute\nwritten: " << options.output;
  for (const std::string& file : {options.output_weights, options.output_test})
    if (!file.empty()) std::cout << ", " << file;
  std::cout << "\n";
}

const CommandRegistrar registrar({"convert",
                                  "merge a trained net into the plain one for use",
                                  {"model", "weights", "output"},
                                  {"to", "output_weights", "output_test", "algorithm"},
                                  run});

}  // namespace
}  // namespace orepa::tool
