// A prototxt of a solver, run for a few iterations where its nets are small.
#include "orepa/solver.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/text_format.h>

#include "orepa.pb.h"
#include "tests/fuzz/mutator.h"
#include "tests/fuzz/support.h"

using namespace orepa;

namespace {

class StopsEarly : public Observer {
  Request request() override { return ++asked_ > 6 ? Request::kStop : Request::kNone; }
  int asked_ = 0;
};

// Files are written into the fuzzer's own folder alone.
std::string with_own_prefix(const std::string& content) {
  struct NoErrors : google::protobuf::io::ErrorCollector {
    void AddError(int, int, const std::string&) override {}
  } no_errors;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&no_errors);
  SolverParameter solver;
  if (!parser.ParseFromString(content, &solver)) return content;
  if (solver.has_snapshot_prefix()) solver.set_snapshot_prefix(fuzz::folder() + "run");
  if (solver.has_snapshot_fallback()) solver.set_snapshot_fallback(fuzz::folder());
  std::string changed;
  google::protobuf::TextFormat::PrintToString(solver, &changed);
  return changed;
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  SolverParameter solver;
  return fuzz::mutate_text(solver, data, size, most, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr int64_t kMostPasses = 4;
  static const std::unique_ptr<Device> device = make_device("cpu");
  static const google::protobuf::LogSilencer silence;
  const std::string content = with_own_prefix({reinterpret_cast<const char*>(data), size});
  fuzz::refuses_or_does("solver.prototxt", [&] {
    const SolverSpec spec = SolverSpec::parse(content, fuzz::folder() + "solver.prototxt");
    if (spec.options().integer("iter_size") > kMostPasses ||
        !fuzz::builds_small(spec.net(), Phase::kTrain, *device))
      return;
    for (const NetSpec& net : spec.test_nets())
      if (!fuzz::builds_small(net, Phase::kTest, *device)) return;
    StopsEarly observer;
    Solver solver(spec, *device, {}, observer);
    try {
      solver.solve();
    } catch (const Error& error) {
      // A number that is not finite comes from the run, not from a line of the file.
      if (!std::string(error.what()).starts_with("iteration ")) throw;
    }
  });
  return 0;
}
