#include "io/drafts.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "orepa/error.h"

namespace orepa {
namespace {

// Whether both name one file, which need not exist.
bool same_file(const std::string& a, const std::string& b) {
  std::error_code none;  // a path that cannot be looked at is no other's
  const auto whole = [&](const std::string& path) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path, none), none);
  };
  return a == b || (!whole(a).empty() && whole(a) == whole(b));
}

}  // namespace

void require_not_read(const std::string& output, const std::vector<std::string>& read) {
  for (const std::string& input : read)
    require(!same_file(output, input), output,
            ": is read and would be overwritten; give the output another name");
}

Drafts::Drafts(const std::vector<std::string>& inputs) : inputs_(inputs) {}

std::string Drafts::draft_of(const std::string& path) {
  const std::filesystem::path wanted = path, folder = wanted.parent_path();
  std::error_code none;
  require(!std::filesystem::is_directory(wanted, none), path,
          ": cannot be written: it is a folder");
  require_not_read(path, inputs_);
  for (const auto& [draft, other] : drafts_)
    require(!same_file(path, other), path, ": is the name of two outputs; give each its own");
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
