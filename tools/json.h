// JSON as programs read it: objects and lists are built from the inside out, as text.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace orepa::tool {

// "text", with its escapes; U+FFFD stands for every byte that is no UTF-8.
std::string quoted(const std::string& text);
std::string json_number(double value);  // null where it is not finite
// Each item on a line of its own.
std::string json_list(const std::vector<std::string>& items);

// {"key": value, ...} in the order of the calls.
class JsonObject {
 public:
  JsonObject& add(const std::string& key, const std::string& text);
  JsonObject& add(const std::string& key, double value);
  JsonObject& add(const std::string& key, int64_t value);
  JsonObject& add_json(const std::string& key, const std::string& json);  // an object or a list
  std::string str() const { return "{" + members_ + "}"; }

 private:
  std::string members_;
};

}  // namespace orepa::tool
