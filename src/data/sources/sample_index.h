// SampleIndex: what a source has found out about its samples while it was opened, kept in a file
// for the next time. It holds for as long as the files and folders that were looked at stay as they
// are.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/sources/names.h"

namespace orepa {

// A file or a folder, and what changes with it.
struct FileState {
  std::string path;
  int64_t time = 0, size = 0;  // of the last modification, in ns
  bool operator==(const FileState&) const = default;
};
// Throws Error where it is not there.
FileState state_of(const std::string& path);

// Bytes of one of several files.
struct FilePart {
  uint64_t offset = 0;
  uint32_t size = 0, file = 0;
};

struct SampleIndex {
  std::vector<FileState> states;
  std::vector<std::string> classes;
  Names names;                  // one a sample
  std::vector<int64_t> labels;  // one a sample
  std::vector<FilePart> parts;  // one a sample, or none
};

// The index in the file `path`, where it is one of `source` (which says all that an index is made
// of) and still holds; else what make() finds, which is then written there. Without a path, that of
// make(). Throws Error where the file is no index, and where it cannot be written.
SampleIndex kept_index(const std::string& path, const std::string& source,
                       const std::function<SampleIndex()>& make);

// As a file. Nothing where the bytes are no index of `source`.
std::string index_bytes(const std::string& source, const SampleIndex& index);
std::optional<SampleIndex> parse_index(const std::string& bytes, const std::string& source);

}  // namespace orepa
