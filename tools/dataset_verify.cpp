#include <iostream>
#include <map>
#include <mutex>

#include "command.h"
#include "dataset.h"
#include "orepa/error.h"
#include "table.h"

namespace orepa::tool {
namespace {

void verify() {
  const Dataset dataset = open_dataset();
  const DataSource& source = *dataset.source;
  std::vector<std::unique_ptr<ImageReader>> readers;
  for (int i = 0; i < threads(); ++i)
    readers.push_back(std::make_unique<ImageReader>(ColorOrder::kRgb));
  std::vector<Image> images(readers.size());
  std::map<int64_t, std::string> bad;  // by sample: why
  std::mutex mutex;
  walk("verifying", source, [&](int thread, int64_t index) {
    const auto t = static_cast<size_t>(thread);
    try {
      readers[t]->open(source, index);
      readers[t]->decode(readers[t]->extent(), images[t]);
    } catch (const Error& error) {
      const std::lock_guard lock(mutex);
      bad[index] = error.what();
    }
  });
  for (const auto& [index, reason] : bad) std::cout << with_name(source, index, reason) << "\n";
  require(bad.empty(), grouped(static_cast<int64_t>(bad.size())), " of ", grouped(source.size()),
          " samples are bad");
  std::cout << "all " << grouped(source.size()) << " samples are good\n";
}

const CommandRegistrar registrar({"dataset verify",
                                  "decode every sample and list the bad ones",
                                  {"source"},
                                  with_source_flags({}),
                                  verify});

}  // namespace
}  // namespace orepa::tool
