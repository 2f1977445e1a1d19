#include "report/sections.h"

#include <algorithm>

#include "orepa/error.h"

namespace orepa::tool {
namespace {

constexpr const char* kPictures = "data:image/png;base64,";

const Json& list(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = member(object, key, where);
  require(value.is_array(), where, ": \"", key, "\" is no list");
  return value;
}

std::string word(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = member(object, key, where);
  require(value.is_string(), where, ": \"", key, "\" is no text: ", described(value));
  return value.get<std::string>();
}

int64_t class_of(const Json& object, const std::string& key, size_t classes,
                 const std::string& where) {
  const int64_t c = integer(object, key, where);
  require(c >= 0 && c < static_cast<int64_t>(classes), where, ": \"", key, "\" is ", c,
          ", which is none of ", classes, " classes");
  return c;
}

std::vector<std::vector<int64_t>> matrix_of(const Json& rows, size_t classes,
                                            const std::string& path) {
  const std::string square = text(path, ": \"confusion\" should have ", classes,
                                  " rows of as many whole numbers, by \"classes\"");
  require(rows.size() == classes, square, "; it has ", rows.size(), " rows");
  std::vector<std::vector<int64_t>> matrix;
  for (const Json& row : rows) {
    require(row.is_array() && row.size() == classes &&
                std::all_of(row.begin(), row.end(),
                            [](const Json& count) { return count.is_number_integer(); }),
            square, "; row ", matrix.size(), " is something else");
    matrix.push_back(row.get<std::vector<int64_t>>());
  }
  return matrix;
}

// {label, predicted, count, of all with that label}, the most frequent first.
Json confused_pairs(const std::vector<std::vector<int64_t>>& matrix) {
  struct Pair {
    size_t label, predicted;
    int64_t count, all;
  };
  std::vector<Pair> pairs;
  for (size_t label = 0; label < matrix.size(); ++label) {
    int64_t all = 0;
    for (const int64_t count : matrix[label]) all += count;
    for (size_t predicted = 0; predicted < matrix.size(); ++predicted)
      if (predicted != label && matrix[label][predicted] > 0)
        pairs.push_back({label, predicted, matrix[label][predicted], all});
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Pair& a, const Pair& b) { return a.count > b.count; });
  if (pairs.size() > kPairs) pairs.resize(kPairs);
  Json rows = Json::array();
  for (const Pair& pair : pairs) rows.push_back({pair.label, pair.predicted, pair.count, pair.all});
  return rows;
}

Json worst_of(const Json& entries, size_t classes, const std::string& path) {
  Json worst = Json::array();
  for (const Json& entry : entries) {
    const std::string where = text(path, ": worst ", worst.size());
    Json shown = {{"sample", word(entry, "sample", where)},
                  {"label", class_of(entry, "label", classes, where)},
                  {"predicted", class_of(entry, "predicted", classes, where)},
                  {"probability", number(entry, "probability", where)}};
    if (entry.contains("image")) {
      const std::string image = word(entry, "image", where);
      require(image.starts_with(kPictures), where, ": \"image\" does not start with ", kPictures);
      shown["image"] = image;
    }
    worst.push_back(shown);
  }
  return worst;
}

}  // namespace

Json network_section(const Json& file, const std::string& path) {
  Json layers = Json::array();
  for (const Json& layer : list(file, "layers", path)) {
    const std::string where = text(path, ": layer ", layers.size());
    for (const Json& shape : list(layer, "outputs", where))
      require(shape.is_array() && std::all_of(shape.begin(), shape.end(),
                                              [](const Json& n) { return n.is_number_integer(); }),
              where, ": \"outputs\" is no list of shapes");
    layers.push_back({{"name", word(layer, "name", where)},
                      {"type", word(layer, "type", where)},
                      {"outputs", layer["outputs"]},
                      {"parameters", integer(layer, "parameters", where)},
                      {"merged_parameters", integer(layer, "merged_parameters", where)},
                      {"macs", integer(layer, "macs", where)}});
  }
  return {{"name", word(file, "name", path)},
          {"batch", integer(file, "batch", path)},
          {"layers", layers}};
}

Json last_test_section(const Json& file, const std::string& path) {
  const Json& names = list(file, "classes", path);
  for (const Json& name : names) require(name.is_string(), path, ": a class has no name");
  const auto matrix = matrix_of(list(file, "confusion", path), names.size(), path);
  Json section = {{"net", integer(file, "net", path)},
                  {"iteration", integer(file, "iteration", path)},
                  {"classes", names},
                  {"pairs", confused_pairs(matrix)},
                  {"worst", worst_of(list(file, "worst", path), names.size(), path)}};
  if (matrix.size() <= kLargestMatrix) section["confusion"] = matrix;
  return section;
}

}  // namespace orepa::tool
