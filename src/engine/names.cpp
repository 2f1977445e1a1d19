#include "engine/names.h"

#include "core/pattern.h"

namespace orepa {
namespace {

constexpr size_t kLongest = 236;

}  // namespace

const char* const kNameRule =
    "names are UTF-8 without control characters, 1 to 236 bytes long; no piece between slashes may "
    "be empty or \".\"";

bool is_name(const std::string& name) {
  // Patterns match valid UTF-8 alone.
  static const Pattern kPieces("name", R"([^/\x00-\x1f\x7f]+(/[^/\x00-\x1f\x7f]+)*)");
  return name.size() <= kLongest && kPieces.matches(name) &&
         ("/" + name + "/").find("/./") == std::string::npos;
}

}  // namespace orepa
