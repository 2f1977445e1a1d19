#include <iostream>

#include "command.h"
#include "orepa/branch.h"
#include "orepa/layer.h"
#include "orepa/update_rule.h"
#include "table.h"

namespace orepa::tool {
namespace {

template <class Entry>
void print(const std::string& title, const std::vector<Entry>& entries) {
  Table table({title, "what it is"}, 2);
  for (const Entry& entry : entries) table.add({entry.name, entry.help});
  std::cout << table.str();
}

void layers() {
  print("layer", layer_types());
  std::cout << '\n';
  print("branch of ORepaConv", branch_types());
  std::cout << '\n';
  print("solver", solver_types());
}

const CommandRegistrar registrar(
    {"layers", "list all types of layers, branches and solvers", {}, {}, layers});

}  // namespace
}  // namespace orepa::tool
