#include "nets.h"

#include <sys/resource.h>

#include <iostream>
#include <map>

#include "flags.h"
#include "orepa/error.h"
#include "orepa/weights.h"

namespace orepa::tool {

void load_and_report(const std::vector<std::string>& weights, Parameters& parameters, bool complete,
                     std::ostream& out) {
  if (weights.empty()) return;
  const WeightsReport report = load_weights(weights, parameters, FLAGS_weights_strict);
  out << report.table() << std::flush;
  const int absent = report.count(WeightsReport::Status::kMissing) +
                     report.count(WeightsReport::Status::kMisshapen);
  require(!complete || absent == 0, FLAGS_weights, ": ", absent,
          " parameters of the net have no weights there (see above)");
}

std::string unknown_fields(const NetSpec& net, const std::string& fate) {
  std::map<std::string, std::vector<std::string>> places;
  for (const UnknownField& field : net.unknown_fields()) places[field.what].push_back(field.where);
  std::string lines;
  for (const auto& [what, where] : places)
    lines += text(where[0], where.size() == 1 ? "" : text(" and ", where.size() - 1, " more"), ": ",
                  fate, ": ", what, "\n");
  return lines;
}

std::string unknown_type(const std::string& type, const std::string& fate) {
  std::vector<std::string> known;
  for (const LayerType& layer : layer_types()) known.push_back(layer.name);
  const std::string nearest = nearest_name(type, known);
  return "layers of type " + type + " are not known" + fate +
         (nearest.empty() ? "" : "; was " + nearest + " meant?") + "\n";
}

void report_precision(const Net& net) {
  const std::string note = net.precision_note();
  if (!note.empty()) report_notes({note});
}

void report_notes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) std::cerr << "orepa_tool: note: " << note << '\n';
}

std::string first_name(const LayerReport& row) { return row.name.substr(0, row.name.find(" + ")); }

int64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

}  // namespace orepa::tool
