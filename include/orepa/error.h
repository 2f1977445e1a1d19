// The one exception type of the library. Every message says where, what was got, what was expected
// and, where there is one, the remedy: `net.prototxt:39:5: layer "conv2" (Convolution): ...`.
// The library never aborts and never prints an error itself; tools catch Error and exit with 1.
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace orepa {

class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

// All parts written one after another, as by operator<<.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

// Throws Error(text(parts...)).
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw Error(text(parts...));
}

// Throws Error(text(parts...)) unless `condition` holds.
template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) fail(parts...);
}

// The entry of `known` with the smallest edit distance to `name`, for "did you mean"; empty where
// nothing is similar (distance above half the length of `name`), and for names above 256 bytes.
std::string nearest_name(const std::string& name, const std::vector<std::string>& known);
// The end of a message about an unknown name: `; did you mean "nearest"?`, or `otherwise` where
// nothing is similar.
std::string did_you_mean(const std::string& name, const std::vector<std::string>& known,
                         const std::string& otherwise = "");

}  // namespace orepa
