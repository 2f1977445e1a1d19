// A file that an older Caffe or a fork of it wrote, in today's words.
#pragma once
#include <string>

namespace orepa {

// Reads `from`, which is a .caffemodel where either name says so, or else the prototxt of a net or
// of a solver, and writes the same to `to`, another file, atomically. A net's comments are lost.
// Returns what it was: "weights", "net" or "solver". Throws Error where it is none of them or
// cannot be read; then nothing is written.
std::string upgrade_file(const std::string& from, const std::string& to);

}  // namespace orepa
