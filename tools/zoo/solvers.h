// Solver files of the zoo.
#pragma once
#include <string>

#include "models.h"

namespace orepa::zoo {

// In front of every generated file.
inline constexpr const char* kGenerated =
    "Written by generate_models: change tools/zoo and run `make models`.";

// The recipe of the OREPA paper; VGG-16, which has no BatchNorm, has its own.
std::string solver(const Model& model, const std::string& style);

}  // namespace orepa::zoo
