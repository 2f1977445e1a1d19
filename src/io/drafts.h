// Files under other names until they are known to be right; then they get their own, all of them.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace orepa {

// Throws Error where `output` is one of the files that are read, by whatever path.
void require_not_read(const std::string& output, const std::vector<std::string>& read);

class Drafts {
 public:
  // None of `inputs` may be overwritten.
  explicit Drafts(const std::vector<std::string>& inputs);
  Drafts(const Drafts&) = delete;
  Drafts& operator=(const Drafts&) = delete;
  ~Drafts();  // removes what was not accepted

  // Where to write what shall become `path`: beside it, with the same ending. Throws Error where
  // its folder does not exist, and where `path` is a folder, an input or the path of another draft.
  std::string draft_of(const std::string& path);
  // Throws Error where a file cannot get its name.
  void accept();

 private:
  std::vector<std::string> inputs_;
  std::vector<std::pair<std::string, std::string>> drafts_;  // and the names they shall have
};

}  // namespace orepa
