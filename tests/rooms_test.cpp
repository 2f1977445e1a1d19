// The rooms of src: includes point one way, from the bottom.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <regex>
#include <sstream>

#include "core/input_file.h"
#include "tests/files.h"

namespace orepa {
namespace {

// A room includes contracts (include/orepa), itself and those of lower floors. layers and what lies
// below speak of nets by contracts alone, not by generated headers.
const std::map<std::string, int> kFloors = {
    {"core", 0},   {"backend", 1}, {"comm", 1},    {"data", 1},    {"layers", 2},
    {"engine", 3}, {"io", 4},      {"reparam", 5}, {"solvers", 6}, {"tools", 7}};
constexpr int kFirstWithGeneratedHeaders = 3;

std::string room_of(const std::string& path) { return path.substr(0, path.find('/')); }

std::vector<std::string> includes_of(const std::string& file) {
  static const std::regex include("#include [\"<]([^\">]+)[\">]");
  const std::string content = read_file(file);
  std::vector<std::string> paths;
  for (std::sregex_iterator at(content.begin(), content.end(), include), end; at != end; ++at)
    paths.push_back((*at)[1]);
  return paths;
}

// The files below a folder of the project, by their paths in it.
std::map<std::string, std::vector<std::string>> includes_below(const std::string& folder) {
  std::map<std::string, std::vector<std::string>> all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(source_file(folder)))
    if (entry.path().extension() == ".h" || entry.path().extension() == ".cpp")
      all[std::filesystem::relative(entry.path(), source_file(folder)).string()] =
          includes_of(entry.path().string());
  return all;
}

TEST(Rooms, IncludesPointOneWay) {
  const auto files = includes_below("src");
  EXPECT_GT(files.size(), 100u);
  for (const auto& [file, includes] : files) {
    const std::string own = room_of(file);
    ASSERT_TRUE(kFloors.contains(own)) << "src/" << file << " lies in no room";
    for (const std::string& include : includes) {
      if (include.ends_with(".pb.h") && !include.starts_with("google/")) {
        EXPECT_GE(kFloors.at(own), kFirstWithGeneratedHeaders) << file << " includes " << include;
      }
      const std::string other = room_of(include);
      if (!kFloors.contains(other) || other == own) continue;
      EXPECT_LT(kFloors.at(other), kFloors.at(own)) << file << " includes " << include;
    }
  }
}

TEST(Rooms, ContractsNeedNothingButContracts) {
  for (const auto& [file, includes] : includes_below("include"))
    for (const std::string& include : includes) {
      EXPECT_FALSE(include.ends_with(".pb.h")) << file << " includes " << include;
      EXPECT_FALSE(kFloors.contains(room_of(include))) << file << " includes " << include;
    }
}

// Vendors live behind Device.
TEST(Rooms, OnlyBackendsKnowVendors) {
  for (const auto& [file, includes] : includes_below("src"))
    for (const std::string& include : includes)
      if (include.starts_with("dnnl") || include.starts_with("cu")) {
        EXPECT_EQ(room_of(file), "backend") << file << " includes " << include;
      }
}

}  // namespace
}  // namespace orepa
