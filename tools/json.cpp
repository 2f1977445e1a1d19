#include "json.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "orepa/error.h"

namespace orepa::tool {
namespace {

// How many bytes the character at `at` has in UTF-8; 0 where the bytes there are none (RFC 3629:
// no longer form than needed, no surrogates, nothing above U+10FFFF).
size_t character_length(const std::string& text, size_t at) {
  const auto byte = [&](size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  for (size_t i = 1; i < length; ++i)
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  const bool too_long = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xed && byte(1) > 0x9f;
  const bool too_large = lead == 0xf4 && byte(1) > 0x8f;
  return too_long || surrogate || too_large ? 0 : length;
}

}  // namespace

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (size_t at = 0; at < text.size();) {
    const size_t length = character_length(text, at);
    const std::string character = text.substr(at, std::max<size_t>(length, 1));
    at += character.size();
    const char c = character[0];
    if (length == 0) {
      out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (length == 1 && c < ' ') {
      char escape[7];
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      out += escape;
    } else {
      out += character;
    }
  }
  return out + "\"";
}

std::string json_number(double value) { return std::isfinite(value) ? text(value) : "null"; }

std::string json_list(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "\n  " : ",\n  ") + item;
  return "[" + out + "]";
}

JsonObject& JsonObject::add(const std::string& key, const std::string& text) {
  return add_json(key, quoted(text));
}

JsonObject& JsonObject::add(const std::string& key, double value) {
  return add_json(key, json_number(value));
}

JsonObject& JsonObject::add(const std::string& key, int64_t value) {
  return add_json(key, std::to_string(value));
}

JsonObject& JsonObject::add_json(const std::string& key, const std::string& json) {
  members_ += (members_.empty() ? "" : ", ") + quoted(key) + ": " + json;
  return *this;
}

}  // namespace orepa::tool
