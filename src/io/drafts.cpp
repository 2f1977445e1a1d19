#include "io/drafts.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <regex>
#include <set>
#include <utility>

#include "core/input_file.h"
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

// `start`.MARK.`name` in the folder.
std::string own_name(const char* start, const std::filesystem::path& folder,
                     const std::filesystem::path& name) {
  return (folder / text(start, ".", process_mark(), ".", name.string())).string();
}

// Whether a file of this name is no more than a half of one whose name begins with `start`.
bool is_leftover(const std::string& name, const std::string& start) {
  static const std::string mark = R"(\.\d+-[0-9a-f]{16}\.)";  // of any process
  static const std::regex draft("(?:unchecked" + mark + R"(\d+\.|replaced)" + mark + ")(.*)"),
      temporary("(.*)" + mark + "tmp");
  std::smatch whole;
  const bool matches =
      std::regex_match(name, whole, draft) || std::regex_match(name, whole, temporary);
  return matches && whole.str(1).starts_with(start);
}

// Renames that belong together: undone, the last one first, where not all of them succeed.
class Renames {
 public:
  Renames() = default;
  Renames(const Renames&) = delete;
  Renames& operator=(const Renames&) = delete;
  ~Renames() {
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step)
      std::rename(step->second.c_str(), step->first.c_str());
  }

  void rename(const std::string& from, const std::string& to, const std::string& path) {
    const bool renamed = std::rename(from.c_str(), to.c_str()) == 0;
    require(renamed, path, ": cannot be written: ", std::strerror(errno));
    steps_.emplace_back(from, to);
  }
  void keep() { steps_.clear(); }

 private:
  std::vector<std::pair<std::string, std::string>> steps_;
};

}  // namespace

void require_not_read(const std::string& output, const std::vector<std::string>& read) {
  for (const std::string& input : read)
    require(!same_file(output, input), output,
            ": is read and would be overwritten; give the output another name");
}

Drafts::Drafts(const std::vector<std::string>& inputs) : inputs_(inputs) {}

std::string Drafts::draft_of(const std::string& path) {
  const Destination destination = destination_of(path);
  require_not_read(path, inputs_);
  for (const Draft& other : drafts_)
    require(!same_file(destination.path, other.destination.path), path,
            ": is the name of two outputs; give each its own");
  const std::string folder = destination.stream ? std::filesystem::temp_directory_path().string()
                                                : folder_of(destination.path);
  // Numbered: links of one name may lead into one folder.
  const std::string name =
      text(drafts_.size(), ".", std::filesystem::path(path).filename().string());
  drafts_.push_back({TemporaryFile(own_name("unchecked", folder, name)), path, destination});
  return drafts_.back().file.path();
}

void Drafts::accept() {
  std::vector<const Draft*> files;
  for (const Draft& draft : drafts_) {
    if (draft.destination.stream)
      write_atomically(draft.path, read_file(draft.file.path()));
    else
      files.push_back(&draft);
  }
  std::set<std::string> folders, replaced;
  {
    const auto together = hold_temporary_files();
    Renames renames;
    for (const Draft* draft : files) {
      const std::filesystem::path path = draft->destination.path;
      require(!std::filesystem::is_directory(path), draft->path,
              ": cannot be written: it is a folder");
      folders.insert(folder_of(path));
      if (files.size() == 1 || !std::filesystem::exists(path)) continue;
      const std::string old = own_name("replaced", folder_of(path), path.filename());
      renames.rename(path, old, draft->path);
      replaced.insert(old);
    }
    for (const Draft* draft : files)
      renames.rename(draft->file.path(), draft->destination.path, draft->path);
    for (const std::string& folder : folders) flush_to_disk(folder);
    renames.keep();
    for (const std::string& old : replaced) ::unlink(old.c_str());
  }
}

void remove_leftovers(const std::string& start) {
  const std::filesystem::path path = start;
  std::error_code none;  // what cannot be looked at or removed stays
  for (const auto& entry : std::filesystem::directory_iterator(folder_of(start), none))
    if (is_leftover(entry.path().filename().string(), path.filename().string()))
      ::unlink(entry.path().c_str());
}

}  // namespace orepa
