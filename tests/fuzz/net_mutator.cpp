// The mutator of the programs whose inputs are prototxts of nets; libFuzzer takes one a program.
#include "orepa.pb.h"
#include "tests/fuzz/mutator.h"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  orepa::NetParameter net;
  return orepa::fuzz::mutate_text(net, data, size, most, seed);
}
