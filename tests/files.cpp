#include "files.h"

namespace orepa {

std::string source_file(const std::string& path) { return OREPA_SOURCE_DIR "/" + path; }

std::string tool_path() { return OREPA_TOOL; }

std::string definition_path() { return OREPA_DEFINITION; }

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
