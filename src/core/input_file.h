// What is read is a regular file: a pipe may never say anything, a device may never end.
#pragma once
#include <string>

namespace orepa {

// Throws Error where `path` is something else (a folder, a pipe, a device, a socket), where it is
// not there, or where it cannot be read. To be called before a file is opened.
void require_regular_file(const std::string& path);
// The content of a file; throws Error that says why it cannot be read.
std::string read_file(const std::string& path);

}  // namespace orepa
