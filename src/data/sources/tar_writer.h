// A tar file, member by member, in memory (POSIX's ustar).
#pragma once
#include <string>

namespace orepa {

// Adds a file. REQUIRES: the name has at most 100 bytes.
void add_tar_member(std::string& tar, const std::string& name, const std::string& content);
// Adds the mark of the end.
void end_tar(std::string& tar);

}  // namespace orepa
