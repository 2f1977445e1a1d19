#include <iostream>

#include "command.h"
#include "flags.h"
#include "nets.h"
#include "orepa/error.h"
#include "orepa/model.h"
#include "survey.h"
#include "table.h"

namespace orepa::tool {
namespace {

std::string shapes(const std::vector<Shape>& outputs) {
  std::string all;
  for (const Shape& shape : outputs) all += (all.empty() ? "" : ", ") + shape.str();
  return all;
}

// The rows of the layers that are known, and the lines below the table.
std::string add_known(const NetSpec& spec, const NetOptions& options, Table& table) {
  const std::unique_ptr<Device> device = make_device();
  const Model model(spec.known(), *device, options);
  const Net& net = model.net;
  LayerReport total;
  for (const LayerReport& row : net.report()) {
    table.add({first_name(row), row.type, shapes(row.outputs), grouped(row.parameters),
               grouped(row.merged_parameters), grouped(row.macs), mebibytes(row.activation_bytes)});
    total.parameters += row.parameters;
    total.merged_parameters += row.merged_parameters;
    total.macs += row.macs;
    total.activation_bytes += row.activation_bytes;
  }
  table.add_rule();
  table.add({"total", "", "", grouped(total.parameters), grouped(total.merged_parameters),
             grouped(total.macs), mebibytes(total.activation_bytes)});
  return text(
      "parameters: learned numbers in training; merged: with every re-parameterised kernel as "
      "one\nMACs: multiply-accumulates of one forward pass over a batch of ",
      net.batch_size(),
      "\nMiB: outputs and what is kept for the backward pass, if nothing were reused; planned with "
      "reuse: ",
      mebibytes(net.arena_bytes()), " MiB\n");
}

void summary() {
  NetOptions options = net_options(Phase::kTrain);
  options.allocate = false;
  const NetSpec spec = NetSpec::read(FLAGS_model, Unknown::kKeep);
  const Survey survey = survey_of(spec, options);
  std::set<int> unknown;
  for (const UnknownLayer& layer : survey.unknown) unknown.insert(layer.index);

  Table table({"layer", "type", "output", "parameters", "merged", "MACs", "MiB"}, 3);
  std::string notes;
  if (!survey.nothing_known) {
    const NetSpec known = unknown.empty() ? spec : spec.without(unknown);
    notes = add_known(known, options, table) + unknown_fields(known, "not taken into account");
  }
  for (const UnknownLayer& layer : survey.unknown)
    table.add({layer.name, layer.type, "not known: " + layer.reason, "", "", "", ""});
  for (const std::string& type : survey.types) notes += unknown_type(type, "");
  if (!unknown.empty())
    notes += text(unknown.size(), " layers that are not known count in no number\n");
  std::cout << table.str() << "\n" << notes;
}

const CommandRegistrar registrar({"summary",
                                  "layers with shapes, parameters, operations and memory",
                                  {"model"},
                                  {"phase", "level", "stage", "algorithm", "precision"},
                                  summary});

}  // namespace
}  // namespace orepa::tool
