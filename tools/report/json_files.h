// Files of JSON, one value or a value a line, as a run's folder has them.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace orepa::tool {

using Json = nlohmann::ordered_json;  // members stay in order

// A value, and where it stands, for errors: "run/train.jsonl:7".
struct JsonLine {
  std::string where;
  Json value;
};

// Throws Error with file and line where the file is no JSON.
Json read_json(const std::string& path);

// The objects of a file that a process may be writing: a last line that is not whole is left out.
// Throws Error with file and line where any other line is no object.
std::vector<JsonLine> read_json_lines(const std::string& path);

// As a program writes it: on one line; U+FFFD stands for what is no UTF-8, null for a number that
// is not finite.
std::string written(const Json& value);

// For messages: a value without parts as it is written, of others what they are: "array".
std::string described(const Json& value);

// The member `key` of an object. Throws Error that starts with `where` unless it is there and of
// the kind that is wanted. A number may be null, which was not finite: NaN.
const Json& member(const Json& object, const std::string& key, const std::string& where);
double number(const Json& object, const std::string& key, const std::string& where);
int64_t integer(const Json& object, const std::string& key, const std::string& where);

}  // namespace orepa::tool
