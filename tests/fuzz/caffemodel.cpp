// Bytes read as a .caffemodel.
#include "orepa/weights.h"
#include "tests/fuzz/support.h"

using namespace orepa;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static fuzz::SmallNet small(Phase::kTest);
  const std::string path = fuzz::folder() + "w.caffemodel";
  fuzz::write_file(path, data, size);
  for (const bool strict : {false, true})
    fuzz::refuses_or_does(path, [&] { load_weights({path}, small.parameters, strict).table(); });
  return 0;
}
