// The nets of tests/golden/net_*.h5: networks of the zoo with one block a stage and an eighth of
// the width, for images of 64 x 64 and 10 classes.
#pragma once
#include <string>
#include <vector>

#include "orepa/model_io.h"

namespace orepa::zoo {

// As the files are called: "net_resnet_basic_orepa", "net_repvgg_repvgg", ...
std::vector<std::string> golden_names();

// The solver with which the published code made the trajectory, its net in it: images are the Input
// "x", labels, in training only, the Input "t", logits are "linear". Throws Error where there is
// none of that name. `more`: further fields of the solver.
SolverSpec golden_solver(const std::string& name, const std::string& more = "");

}  // namespace orepa::zoo
