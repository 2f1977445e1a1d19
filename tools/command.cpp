#include "command.h"

#include <utility>

#include "core/registry.h"

namespace orepa::tool {

const std::vector<Command>& commands() { return registry<Command>(); }

CommandRegistrar::CommandRegistrar(Command command) { add_to_registry(std::move(command)); }

}  // namespace orepa::tool
