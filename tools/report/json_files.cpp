#include "report/json_files.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>

#include "core/input_file.h"
#include "orepa/error.h"

namespace orepa::tool {
namespace {

// What the parser says, without its own name and number in front: "[json.exception...] ".
std::string reason(const Json::exception& error) {
  const std::string message = error.what();
  const size_t end = message.find("] ");
  return end == std::string::npos ? message : message.substr(end + 2);
}

}  // namespace

Json read_json(const std::string& path) {
  const std::string content = read_file(path);
  try {
    return Json::parse(content);
  } catch (const Json::exception& error) {
    const auto* place = dynamic_cast<const Json::parse_error*>(&error);
    const size_t end = place == nullptr ? 0 : std::min(place->byte, content.size());
    const auto line = 1 + std::count(content.begin(), content.begin() + end, '\n');
    fail(path, ":", line, ": is no JSON: ", reason(error));
  }
}

std::vector<JsonLine> read_json_lines(const std::string& path) {
  const std::string content = read_file(path);
  std::vector<JsonLine> lines;
  int number = 0;
  for (size_t at = 0; at < content.size();) {
    const size_t end = std::min(content.find('\n', at), content.size());
    const std::string_view line = std::string_view(content).substr(at, end - at);
    const std::string where = text(path, ":", ++number);
    at = end + 1;
    try {
      lines.push_back({where, Json::parse(line)});
    } catch (const Json::exception& error) {
      if (end == content.size()) break;  // no end of line: it is still being written
      fail(where, ": is no JSON: ", reason(error));
    }
    require(lines.back().value.is_object(), where, ": is no JSON object");
  }
  return lines;
}

std::string written(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string described(const Json& value) {
  return value.is_structured() ? value.type_name() : written(value);
}

const Json& member(const Json& object, const std::string& key, const std::string& where) {
  require(object.is_object(), where, ": is no object; it should have \"", key, "\"");
  const auto found = object.find(key);
  require(found != object.end(), where, ": has no \"", key, "\"");
  return *found;
}

double number(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = member(object, key, where);
  if (value.is_null()) return std::numeric_limits<double>::quiet_NaN();
  require(value.is_number(), where, ": \"", key, "\" is no number: ", described(value));
  return value.get<double>();
}

int64_t integer(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = member(object, key, where);
  require(value.is_number_integer(), where, ": \"", key,
          "\" is no whole number: ", described(value));
  return value.get<int64_t>();
}

}  // namespace orepa::tool
