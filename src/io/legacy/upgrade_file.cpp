#include "io/legacy/upgrade_file.h"

#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <fstream>

#include "core/atomic_file.h"
#include "core/input_file.h"
#include "io/drafts.h"
#include "io/legacy/v1_net.h"
#include "io/text/parse_text.h"
#include "io/text/print_text.h"
#include "io/text/text_scan.h"
#include "io/text/upgrade.h"
#include "io/weights/stored_blobs.h"
#include "orepa.pb.h"
#include "orepa/error.h"
#include "orepa/model_io.h"

namespace orepa {
namespace {

constexpr const char* kWeights = ".caffemodel";

void read_message(const std::string& path, google::protobuf::Message& message) {
  std::ifstream file(path, std::ios::binary);
  google::protobuf::io::IstreamInputStream stream(&file);
  require(message.ParsePartialFromZeroCopyStream(&stream), path,
          ": is no .caffemodel, or it is damaged or cut short");
}

NetParameter read_weights(const std::string& path) {
  require_regular_file(path);
  const google::protobuf::LogSilencer silence;  // a text that is not UTF-8 is reported to stderr
  NetParameter net;
  read_message(path, net);
  if (net.layer_size() == 0) {
    V1NetParameter old;
    net.Clear();
    read_message(path, old);
    net = upgraded_v1_net(old, path);
  }
  require(net.layer_size() > 0, path, ": has no layers");
  upgrade(net, path, nullptr);
  return net;
}

std::string upgraded_solver(const std::string& content, const std::string& file) {
  SolverParameter solver;
  Positions positions(file);
  parse_text(content, file, solver, positions);
  upgrade(solver, file, positions);
  return print_text(solver);
}

bool has_any(const TextScan& scan, const std::initializer_list<const char*>& fields) {
  return std::any_of(scan.fields.begin(), scan.fields.end(), [&](const TextField& field) {
    return std::find(fields.begin(), fields.end(), field.name) != fields.end();
  });
}

}  // namespace

std::string upgrade_file(const std::string& from, const std::string& to) {
  require_not_read(to, {from});
  for (const char* ending : {".h5", ".solverstate", ".binaryproto"})
    require(!from.ends_with(ending), from, ": files of this kind have no older form");
  if (from.ends_with(kWeights) || to.ends_with(kWeights)) {
    require(to.ends_with(kWeights), to, ": these are weights: expected NAME.caffemodel");
    write_atomically(to, caffemodel_bytes(to, read_weights(from)));
    return "weights";
  }
  const std::string content = read_file(from);
  require_bounded(content, from);
  const TextScan scan = scan_text(without_mark(content, from), from, *NetParameter::descriptor());
  if (has_any(scan, {"layer", "layers", "input"})) {
    NetSpec::parse(content, from).write(to);
    return "net";
  }
  const auto* solver = SolverParameter::descriptor();
  require(std::any_of(scan.fields.begin(), scan.fields.end(),
                      [&](const TextField& field) { return solver->FindFieldByName(field.name); }),
          from, ": is neither the prototxt of a net nor that of a solver; weights are called ",
          "NAME.caffemodel");
  write_atomically(to, upgraded_solver(content, from));
  return "solver";
}

}  // namespace orepa
