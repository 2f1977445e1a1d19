// --set and --data: what is trained otherwise than the solver's file says.
#pragma once
#include <gflags/gflags.h>

#include <string>
#include <vector>

#include "orepa/model_io.h"

DECLARE_string(set);
DECLARE_string(data);

namespace orepa::tool {

// What --set says, each as FIELD=VALUE. Throws UsageError where one is not.
std::vector<Setting> settings_of_flag();

// The solver with the folders of --data in its Data layers. Throws Error where they are not there.
SolverSpec with_data(const SolverSpec& spec);

// As values in prototxt.
std::string quoted_text(const std::string& text);
std::string text_list(const std::vector<std::string>& texts);

}  // namespace orepa::tool
