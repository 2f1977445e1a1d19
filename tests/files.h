// Files for tests: those of the project, or of the package that the environment's OREPA_PACKAGE
// names (make package-gpu).
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace orepa {

// A file of the project, from its top: "tests/golden/models.json".
std::string source_file(const std::string& path);
// The program orepa_tool.
std::string tool_path();
// The formats of proto/orepa.proto with their comments, as protoc describes them.
std::string definition_path();

// Where paths of the running test begin, which no other test's do.
std::string test_path();
// The folder of the running test, empty at the start; ends in a slash.
std::string test_folder();

void write_file(const std::string& path, const std::string& content);
// What a fifo or a pipe gives, to its end.
std::string read_all(const std::string& path);

}  // namespace orepa
