#include "json.h"

#include <cmath>
#include <cstdio>

#include "orepa/error.h"

namespace orepa::tool {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (static_cast<unsigned char>(c) < ' ') {
      char escape[7];
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      out += escape;
    } else {
      out += c;
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
