// The one door through which files are written: a file appears whole or not at all. It is written
// under a temporary name in the folder where it shall stand, flushed to the disk, then renamed.
#pragma once
#include <string>

namespace orepa {

// Where the bytes written to a path end up.
struct Destination {
  std::string path;     // symbolic links are followed; the file need not be there, its folder is
  bool stream = false;  // a fifo or a character device, which is written into, never replaced
};

// Throws Error that says why nothing can be written there: a folder, a socket, a disk, links in a
// circle, a folder that does not exist.
Destination destination_of(const std::string& path);

// Throws Error that says why it could not be written, and leaves neither a temporary nor a partial
// file behind. (A stream may have taken a part of it.)
void write_atomically(const std::string& path, const std::string& content);

// Makes `path` a symbolic link to `target`, as it is written there, in place of the link that may
// be there: whoever looks finds one of the two. Throws Error where it cannot, and where something
// else than a link is there.
void link_atomically(const std::string& path, const std::string& target);

// What was written to a file, or renamed in a folder, survives a loss of power.
void flush_to_disk(const std::string& path);

// The folder of a path, "." where it names none.
std::string folder_of(const std::string& path);

}  // namespace orepa
