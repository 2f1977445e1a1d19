#include "orepa/update_rule.h"

#include "core/registry.h"
#include "orepa/error.h"

namespace orepa {

SolverRegistrar::SolverRegistrar(std::string name, std::string help,
                                 std::function<std::unique_ptr<UpdateRule>()> make) {
  add_to_registry(SolverType{std::move(name), std::move(help), std::move(make)});
}

const std::vector<SolverType>& solver_types() { return registry<SolverType>(); }

std::unique_ptr<UpdateRule> make_update_rule(const std::string& type, const std::string& where) {
  return find_in_registry<SolverType>(type, where + ": ", "solver type").make();
}

void require_no_momentum(const Options& solver, const std::string& type) {
  require(solver.number("momentum") == 0, solver.where("momentum"), ": ", type,
          " has no momentum; leave it out, or take another type");
}

}  // namespace orepa
