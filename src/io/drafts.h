// Files under other names until they are known to be right; then they get their own, all of them or
// none.
#pragma once
#include <string>
#include <vector>

#include "core/atomic_file.h"
#include "core/temporary_file.h"

namespace orepa {

// Throws Error where `output` is one of the files that are read, by whatever path.
void require_not_read(const std::string& output, const std::vector<std::string>& read);

class Drafts {
 public:
  // None of `inputs` may be overwritten.
  explicit Drafts(const std::vector<std::string>& inputs);

  // Where to write what shall become `path`: beside it, with the same ending. Throws Error where
  // nothing can be written there (destination_of), and where it is an input or the path of another
  // draft. What shall go into a stream waits in the folder of temporary files.
  std::string draft_of(const std::string& path);
  // Throws Error where a file cannot get its name; then all names stand for what they did before.
  // Old and new files never stand side by side, even if the power fails meanwhile: several old ones
  // are renamed to replaced.MARK.NAME first, and removed in the end.
  void accept();

 private:
  struct Draft {
    TemporaryFile file;
    std::string path;  // as it was named
    Destination destination;
  };
  std::vector<std::string> inputs_;
  std::vector<Draft> drafts_;
};

// Removes what killed processes left half written of files whose paths begin with `start`: drafts,
// and what write_atomically() and link_atomically() rename in the end. REQUIRES: nobody writes such
// files.
void remove_leftovers(const std::string& start);

}  // namespace orepa
