// A file that appears whole or not at all: written under a temporary name in the same folder,
// flushed to the disk, then renamed.
#pragma once
#include <functional>
#include <string>

namespace orepa {

// Calls write(temporary path), then gives the file its name. Throws Error that says why it could
// not be written, and leaves neither a temporary nor a partial file behind.
void write_atomically(const std::string& path,
                      const std::function<void(const std::string& temporary)>& write);
void write_atomically(const std::string& path, const std::string& content);

}  // namespace orepa
