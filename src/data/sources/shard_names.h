// The files that a pattern names.
#pragma once
#include <string>
#include <vector>

namespace orepa {

// "a-{000..002}.tar", "{train,extra}.tar", "*.tar", a folder of *.tar, or one file. In the order of
// the braces; what a star or a folder stands for in the order of bytes. Throws Error where a
// pattern is not closed, or stands for nothing or for more than a million.
std::vector<std::string> shard_names(const std::string& pattern);

}  // namespace orepa
