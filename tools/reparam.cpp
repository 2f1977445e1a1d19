#include "orepa/reparam.h"

#include <gflags/gflags.h>

#include <iostream>

#include "command.h"
#include "flags.h"
#include "nets.h"
#include "orepa/error.h"
#include "table.h"

DEFINE_string(style, "", "which blocks: acnet, dbb, orepa, orepa_vgg or repvgg");
DEFINE_string(include, "",
              "regular expression of whole layer names, conv1|conv2: only these are rewritten");
DEFINE_string(exclude, "", "regular expression of whole layer names that stay plain");

namespace orepa::tool {
namespace {

std::string rows_of(const ReparamReport& report) {
  std::vector<std::string> titles = {"layer", "becomes"};
  const bool compared = report.values_compared > 0;
  if (compared) titles.push_back("relative error");
  Table table(titles, 2);
  std::string notes;
  for (const ReparamReport::Row& row : report.rows) {
    const bool plain = row.became.empty();
    std::vector<std::string> cells = {row.layer, plain ? "stays plain: " + row.note : row.became};
    if (compared) cells.push_back(row.error ? scientific(*row.error) : "");
    table.add(cells);
    if (!plain && !row.note.empty()) notes += row.layer + ": " + row.note + "\n";
  }
  for (const std::string& type : report.unknown_types)
    notes += unknown_type(type, " and copied as they are");
  return table.str() + "\n" + notes;
}

void run() {
  choice("style", FLAGS_style, reparam_styles());
  if (FLAGS_weights.empty() != FLAGS_output_weights.empty())
    throw UsageError("--weights and --output_weights go together: one is read, one is written");
  const ReparamOptions options{FLAGS_style, FLAGS_include, FLAGS_exclude};
  ReparamFiles files;
  files.output = FLAGS_output;
  files.weights = split(FLAGS_weights);
  files.output_weights = FLAGS_output_weights;
  // The proof is about weights, not about the rounding of Winograd's convolutions.
  const std::unique_ptr<Device> device = orepa::make_device("cpu", {Algorithm::kDirect});
  const NetSpec net = NetSpec::read(FLAGS_model, Unknown::kKeep);
  const ReparamReport report = reparam_files(net, options, files, *device);

  std::cout << rows_of(report) << unknown_fields(net, "copied as it is") << report.rewritten()
            << " of " << report.rows.size() << " convolutions rewritten\n";
  require(report.rewritten() > 0, FLAGS_model, ": style ", FLAGS_style,
          " rewrites no convolution of this net; no file was written");
  if (report.values_compared > 0)
    std::cout << "largest error of " << report.values_compared
              << " values on random inputs, read back from the files: "
              << scientific(report.largest_error) << " relative, in \""
              << report.largest_error_value << "\"\n";
  std::cout << "written: " << files.output
            << (files.weights.empty() ? "" : ", " + files.output_weights) << "\n";
}

const CommandRegistrar registrar({"reparam",
                                  "rewrite a net's convolutions as re-parameterised blocks",
                                  {"style", "model", "output"},
                                  {"include", "exclude", "weights", "output_weights"},
                                  run});

}  // namespace
}  // namespace orepa::tool
