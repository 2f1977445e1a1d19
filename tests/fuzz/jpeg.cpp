// Bytes read as a view and a JPEG file.
#include "tests/fuzz/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace orepa::fuzz;
  if (size >= kViewBytes) decode(data, {data + kViewBytes, data + size});
  return 0;
}
