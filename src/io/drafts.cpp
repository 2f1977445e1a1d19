#include "io/drafts.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "orepa/error.h"

namespace orepa {

std::string Drafts::draft_of(const std::string& path) {
  const std::filesystem::path wanted = path, folder = wanted.parent_path();
  require(folder.empty() || std::filesystem::is_directory(folder), path,
          ": cannot be written: there is no folder ", folder.string());
  const std::string draft =
      (folder / text("unchecked.", ::getpid(), ".", wanted.filename().string())).string();
  drafts_.emplace_back(draft, path);
  return draft;
}

void Drafts::accept() {
  for (const auto& [draft, path] : drafts_)
    require(std::rename(draft.c_str(), path.c_str()) == 0, path,
            ": cannot be written: ", std::strerror(errno));
}

Drafts::~Drafts() {
  for (const auto& [draft, path] : drafts_) ::unlink(draft.c_str());
}

}  // namespace orepa
