#include "orepa/convert.h"

#include <gflags/gflags.h>

#include <iostream>

#include "command.h"
#include "flags.h"
#include "json.h"
#include "table.h"

DEFINE_string(output_test, "", "also write the merged net with its data and accuracy layers");
DEFINE_bool(merge_all, false,
            "also merge layers that are cheaper apart: linear bottlenecks, pools");

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

void print_tables(const ConvertReport& report, const ConvertOptions& options) {
  Table table({"layer", "merged from", "weights before", "after", "relative error"}, 2);
  for (const ConvertReport::Row& row : report.rows) {
    table.add({row.layer, row.parts, range(row.before), range(row.after),
               row.error ? scientific(*row.error) : ""});
    for (const ConvertReport::Branch& branch : row.branches)
      table.add({"", "  " + branch.parts, range(branch.weights), "", ""});
  }
  std::cout << (report.rows.empty() ? "nothing to merge\n" : table.str());
  if (!report.left.empty()) {
    Table left({"not merged further", "type", "because"}, 3);
    for (const ConvertReport::Left& row : report.left) left.add({row.layer, row.type, row.reason});
    std::cout << "\n" << left.str();
  }
  if (!report.transform.empty())
    std::cout << "\nthe input is expected as after transform_param { " << report.transform
              << " }\n";
  std::cout << "\nparameters: " << grouped(report.parameters_before) << " -> "
            << grouped(report.parameters_after) << "\nlargest error of the outputs on random "
            << "inputs: " << scientific(report.output_error) << " relative, "
            << scientific(report.output_difference) << " absolute\nwritten: " << options.output;
  for (const std::string& file : {options.output_weights, options.output_test})
    if (!file.empty()) std::cout << ", " << file;
  std::cout << "\n";
}

std::string json(const WeightRange& weights) {
  if (weights.empty()) return "null";
  return "[" + json_number(weights.least) + ", " + json_number(weights.most) + "]";
}

void print_json(const ConvertReport& report, const ConvertOptions& options) {
  std::vector<std::string> merged, left;
  for (const ConvertReport::Row& row : report.rows) {
    std::vector<std::string> branches;
    for (const ConvertReport::Branch& branch : row.branches)
      branches.push_back(
          JsonObject().add("parts", branch.parts).add_json("weights", json(branch.weights)).str());
    merged.push_back(JsonObject()
                         .add("layer", row.layer)
                         .add("parts", row.parts)
                         .add_json("weights_before", json(row.before))
                         .add_json("weights_after", json(row.after))
                         .add_json("relative_error", row.error ? json_number(*row.error) : "null")
                         .add_json("branches", json_list(branches))
                         .str());
  }
  for (const ConvertReport::Left& row : report.left)
    left.push_back(
        JsonObject().add("layer", row.layer).add("type", row.type).add("reason", row.reason).str());
  JsonObject whole;
  whole.add("model", FLAGS_model)
      .add("output", options.output)
      .add("output_weights", options.output_weights)
      .add("output_test", options.output_test)
      .add("transform_param", report.transform)
      .add("parameters_before", report.parameters_before)
      .add("parameters_after", report.parameters_after)
      .add("relative_error", report.output_error)
      .add("absolute_error", report.output_difference)
      .add_json("merged", json_list(merged))
      .add_json("left", json_list(left));
  std::cout << whole.str() << "\n";
}

void run() {
  ConvertOptions options;
  const bool onnx = !FLAGS_to.empty() && choice("to", FLAGS_to, {"caffe", "onnx"}) == "onnx";
  check_outputs(onnx);
  if (onnx) options.format = ConvertOptions::Format::kOnnx;
  options.output = FLAGS_output;
  options.output_weights = FLAGS_output_weights;
  options.output_test = FLAGS_output_test;
  options.merge_all = FLAGS_merge_all;
  const NetSpec spec = NetSpec::read(FLAGS_model);
  const std::unique_ptr<Device> device = make_device();
  const ConvertReport report = convert(spec, split(FLAGS_weights), *device, options);

  if (FLAGS_json)
    print_json(report, options);
  else
    print_tables(report, options);
}

const CommandRegistrar registrar({"convert",
                                  "merge a trained net into the plain one for use",
                                  {"model", "weights", "output"},
                                  {"to", "output_weights", "output_test", "merge_all", "algorithm",
                                   "json"},
                                  run});

}  // namespace
}  // namespace orepa::tool
