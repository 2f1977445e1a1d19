// generate_models FOLDER: writes the files of the zoo there. `make models` runs it on models/.
#include <exception>
#include <filesystem>
#include <iostream>

#include "core/atomic_file.h"
#include "models.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: generate_models FOLDER\n";
    return 2;
  }
  try {
    for (const auto& [path, content] : orepa::zoo::files()) {
      const std::filesystem::path file = std::filesystem::path(argv[1]) / path;
      std::filesystem::create_directories(file.parent_path());
      orepa::write_atomically(file.string(), content);
    }
  } catch (const std::exception& error) {
    std::cerr << "generate_models: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
