#include "io/drafts.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "orepa/error.h"

namespace orepa {

Drafts::Drafts(const std::vector<std::string>& inputs) : inputs_(inputs.begin(), inputs.end()) {}

std::string Drafts::draft_of(const std::string& path) {
  const std::filesystem::path wanted = path, folder = wanted.parent_path();
  std::error_code none;  // a path that cannot be looked at is no other's
  const std::filesystem::path file = std::filesystem::weakly_canonical(wanted, none);
  const auto is_wanted = [&](const std::filesystem::path& other) {
    return other == wanted ||
           (!file.empty() && std::filesystem::weakly_canonical(other, none) == file);
  };
  require(!std::filesystem::is_directory(wanted, none), path,
          ": cannot be written: it is a folder");
  require(std::none_of(inputs_.begin(), inputs_.end(), is_wanted), path,
          ": is read and would be overwritten; give the output another name");
  require(std::none_of(drafts_.begin(), drafts_.end(),
                       [&](const auto& draft) { return is_wanted(draft.second); }),
          path, ": is the name of two outputs; give each its own");
  require(folder.empty() || std::filesystem::is_directory(folder), path,
          ": cannot be written: there is no folder ", folder.string());
  const std::string draft =
      (folder / text("unchecked.", ::getpid(), ".", wanted.filename().string())).string();
  drafts_.emplace_back(draft, path);
  return draft;
}

void Drafts::accept() {
  for (const auto& [draft, path] : drafts_) {
    const bool renamed = std::rename(draft.c_str(), path.c_str()) == 0;
    require(renamed, path, ": cannot be written: ", std::strerror(errno));
  }
}

Drafts::~Drafts() {
  for (const auto& [draft, path] : drafts_) ::unlink(draft.c_str());
}

}  // namespace orepa
