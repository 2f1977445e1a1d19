#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <set>

#include "absent_data.h"
#include "command.h"
#include "core/atomic_file.h"
#include "core/temporary_file.h"
#include "flags.h"
#include "io/drafts.h"
#include "net_drawing.h"
#include "nets.h"
#include "orepa/error.h"
#include "orepa/net.h"
#include "survey.h"

extern char** environ;

namespace orepa::tool {
namespace {

// Has Graphviz draw the text, in the format that the path's ending names.
void draw_with_graphviz(const std::string& drawing, const std::string& path,
                        const std::string& format) {
  const Destination destination = destination_of(path);
  const TemporaryFile source(temporary_name(destination.path + ".dot")),
      made(temporary_name(destination.path));
  write_atomically(source.path(), drawing);
  std::vector<std::string> words{"dot", "-T" + format, "-o", made.path(), source.path()};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int failure = posix_spawnp(&child, "dot", nullptr, nullptr, arguments.data(), environ);
  require(failure == 0, path, ": cannot be drawn: Graphviz's program dot cannot be started (",
          std::error_code(failure, std::generic_category()).message(),
          "); install graphviz, or write a .dot file and draw it elsewhere");
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  require(WIFEXITED(status) && WEXITSTATUS(status) == 0, path,
          ": could not be drawn: Graphviz's program dot failed");
  flush_to_disk(made.path());
  std::filesystem::rename(made.path(), destination.path);
}

// The types of branches in the names of a layer's factors: "kxk" of "kxk.weight".
std::vector<std::string> branches_of(const Parameters& parameters, const std::string& layer) {
  std::vector<std::string> branches;
  std::set<std::string> known;
  for (const Parameters::Place& place : parameters.places()) {
    const size_t end = place.name.rfind('.');
    if (place.layer != layer || !place.parameter->factor || end == std::string::npos) continue;
    const std::string branch = place.name.substr(0, end);
    if (known.insert(branch).second) branches.push_back(branch);
  }
  return branches;
}

void draw() {
  const std::string ending = std::filesystem::path(FLAGS_output).extension();
  const bool language = ending == ".dot" || ending == ".gv";
  if (!language && ending != ".svg" && ending != ".png" && ending != ".pdf")
    throw UsageError("--output is \"" + FLAGS_output +
                     "\"; its ending says what to draw: .dot (Graphviz's language), .svg, .png or "
                     ".pdf");
  require_not_read(FLAGS_output, {FLAGS_model});
  NetOptions options = net_options(Phase::kTrain);
  options.allocate = false;
  const NetSpec given = NetSpec::read(FLAGS_model, Unknown::kKeep);
  const Survey survey = survey_of(given, options);
  const LayerFilter filter{options.phase, options.level, options.stages};
  const Graph graph = build_graph(given, filter);

  // Shapes are of the net without what is not known.
  std::set<int> unknown;
  for (const UnknownLayer& layer : survey.unknown) unknown.insert(layer.index);
  const std::unique_ptr<Device> device = make_device();
  Parameters parameters(*device, 0, false);
  Arena arena(*device);
  std::unique_ptr<Net> net;
  std::vector<std::string> notes;
  try {
    if (!survey.nothing_known) {
      const NetSpec known = unknown.empty() ? given : given.without(unknown);
      options.keep = build_graph(known, filter).blobs();  // each with a shape, and layers apart
      net = std::make_unique<Net>(without_absent_data(known.known(), filter, notes), parameters,
                                  arena, options);
    }
  } catch (const Error& error) {
    notes.push_back(text("the shapes of blobs are not drawn: ", error.what()));
  }
  report_notes(notes);

  DrawingFacts facts;
  std::set<std::string> shaped;
  if (net != nullptr) shaped.insert(options.keep.begin(), options.keep.end());
  facts.shape = [&](const std::string& blob) {
    return shaped.contains(blob) ? net->shape(blob).str() : std::string();
  };
  facts.branches = [&](const std::string& layer) { return branches_of(parameters, layer); };
  const std::string title =
      given.options().has("name") ? given.options().string("name") : FLAGS_model;
  const std::string drawing = drawing_of(graph, title, facts);
  if (language)
    write_atomically(FLAGS_output, drawing);
  else
    draw_with_graphviz(drawing, FLAGS_output, ending.substr(1));
}

const CommandRegistrar registrar(
    {"draw",
     "a net as a picture: Graphviz's .dot, or .svg, .png, .pdf by Graphviz",
     {"model", "output"},
     {"phase", "level", "stage"},
     draw});

}  // namespace
}  // namespace orepa::tool
