// Bytes read as an HDF5 file: every array, attribute and the weights in it.
#include "orepa/tensor_file.h"
#include "orepa/weights.h"
#include "tests/fuzz/support.h"

using namespace orepa;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static fuzz::SmallNet small(Phase::kTest);
  const std::string path = fuzz::folder() + "w.h5";
  fuzz::write_file(path, data, size);
  fuzz::refuses_or_does(path, [&] {
    const TensorFileReader file(path);
    for (const std::string& name : file.names()) {
      fuzz::refuses_or_does(path, [&] { file.shape(name); });
      fuzz::refuses_or_does(path, [&] { file.read(name); });
      fuzz::refuses_or_does(path, [&] { file.has_attribute(name, "index"); });
      fuzz::refuses_or_does(path, [&] { file.number(name, "index"); });
      fuzz::refuses_or_does(path, [&] { file.string(name, "index"); });
    }
  });
  fuzz::refuses_or_does(path, [&] { load_weights({path}, small.parameters).table(); });
  return 0;
}
