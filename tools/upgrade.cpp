#include <iostream>

#include "command.h"
#include "command_line.h"
#include "io/legacy/upgrade_file.h"
#include "orepa/error.h"

namespace orepa::tool {
namespace {

void run() {
  const std::vector<std::string>& files = operands();
  if (files.size() != 2)
    throw UsageError(text("`upgrade` needs two files, IN OUT, got ", files.size()));
  const std::string kind = upgrade_file(files[0], files[1]);
  std::cout << "written: " << files[1] << " (" << kind << ")\n";
}

const CommandRegistrar registrar({"upgrade",
                                  "a net, a solver or weights of Caffe's older formats in today's",
                                  {},
                                  {},
                                  run,
                                  {},
                                  "IN OUT"});

}  // namespace
}  // namespace orepa::tool
