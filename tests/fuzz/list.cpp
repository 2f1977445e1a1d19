// Bytes read as a list of images.
#include "data/sources/sources.h"
#include "tests/fuzz/support.h"

using namespace orepa;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string path = fuzz::folder() + "list";
  fuzz::write_file(path, data, size);
  fuzz::refuses_or_does(path, [&] {
    const std::unique_ptr<DataSource> source = open_list(path, "/nowhere/");
    const DataSource::Labels& labels = *source->labels();
    if (labels.least > labels.most) std::abort();
    Record record;
    fuzz::refuses_or_does("/nowhere/", [&] { source->read(source->size() - 1, record); });
  });
  return 0;
}
