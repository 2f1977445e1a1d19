// Bytes read as a .solverstate, as they are and with the checksum that they should have.
#include <zlib.h>

#include <filesystem>

#include "orepa.pb.h"
#include "orepa/weights.h"
#include "solvers/snapshot.h"
#include "tests/fuzz/support.h"

using namespace orepa;

namespace {

std::string with_checksum(const std::string& bytes) {
  SolverState end;
  end.set_checksum(static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size())));
  const std::string trailer = end.SerializeAsString();
  return bytes.substr(0, bytes.size() - std::min(bytes.size(), trailer.size())) + trailer;
}

void read(const std::string& bytes) {
  static fuzz::SmallNet small(Phase::kTrain);
  static History history(small.parameters, 1);
  const std::string prefix = fuzz::folder() + "run";
  const std::string path = prefix + "_iter_1.solverstate";
  fuzz::write_file(path, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  fuzz::refuses_or_does("", [&] { read_snapshot_state(path); });
  fuzz::refuses_or_does("", [&] { restore_snapshot(path, small.parameters, history); });
  newest_snapshot({prefix});  // a bad state is no candidate, and no error
  std::filesystem::remove(path);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool weights_are_there = [] {
    fuzz::SmallNet small(Phase::kTrain);
    save_weights(fuzz::folder() + "seed_iter_1.caffemodel", small.spec, small.parameters);
    return true;
  }();
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  if (!weights_are_there) return 0;
  read(bytes);
  read(with_checksum(bytes));
  return 0;
}
