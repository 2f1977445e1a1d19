#include "files.h"

#include <cstdlib>

namespace orepa {
namespace {

// `path` of the package that OREPA_PACKAGE names, which holds everything in one folder; `built`
// where it is not set.
std::string packaged(const std::string& path, const std::string& built) {
  const char* folder = std::getenv("OREPA_PACKAGE");
  return folder == nullptr ? built : folder + ("/" + path);
}

}  // namespace

std::string source_file(const std::string& path) {
  return packaged(path, OREPA_SOURCE_DIR "/" + path);
}

std::string tool_path() { return packaged("orepa_tool", OREPA_TOOL); }

std::string definition_path() { return packaged("orepa.definition", OREPA_DEFINITION); }

std::string test_path() {
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  return testing::TempDir() + "orepa_" + test.test_suite_name() + "_" + test.name();
}

std::string test_folder() {
  const std::string folder = test_path();
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder + "/";
}

void write_file(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

std::string read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace orepa
