// A source of image files, each with its label: what FOLDER and LIST are once they know their
// files.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "data/sources/names.h"
#include "orepa/data_source.h"

namespace orepa {

// `prefix` stands before every name. REQUIRES: as many labels as names, at least one.
std::unique_ptr<DataSource> open_image_files(std::string prefix, Names names,
                                             std::vector<int64_t> labels,
                                             std::vector<std::string> classes);

// Whether a name ends as those of JPEG and PNG files do, in small or capital letters.
bool is_image_name(std::string_view name);

}  // namespace orepa
