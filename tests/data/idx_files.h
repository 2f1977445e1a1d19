// Small IDX files for tests.
#pragma once
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace orepa {

// The folder of the running test, empty at the start; ends in a slash.
inline std::string test_folder() {
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) /
      (std::string("orepa_") + test.test_suite_name() + "_" + test.name());
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder.string() + "/";
}

// A header and its numbers.
inline std::string idx(const std::vector<int64_t>& extents, const std::string& bytes,
                       char type = 8) {
  std::string content{0, 0, type, static_cast<char>(extents.size())};
  for (const int64_t extent : extents)
    for (int shift = 24; shift >= 0; shift -= 8) content += static_cast<char>(extent >> shift);
  return content + bytes;
}

inline void write_plain(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

inline void write_gzipped(const std::string& path, const std::string& content) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  gzclose(file);
}

}  // namespace orepa
