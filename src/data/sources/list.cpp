#include <charconv>

#include "core/input_file.h"
#include "data/sources/image_files.h"
#include "data/sources/sources.h"
#include "orepa/error.h"

namespace orepa {
namespace {

constexpr std::string_view kSpace = " \t\r";

std::string_view without_space_behind(std::string_view text) {
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

}  // namespace

std::unique_ptr<DataSource> open_list(const std::string& list, const std::string& root) {
  const std::string content = read_file(list);
  Names names;
  std::vector<int64_t> labels;
  int64_t number = 0;
  for (size_t start = 0; start < content.size();) {
    const size_t end = std::min(content.find('\n', start), content.size());
    const std::string_view line =
        without_space_behind(std::string_view(content).substr(start, end - start));
    start = end + 1;
    ++number;
    if (line.empty()) continue;
    const size_t space = line.find_last_of(kSpace);
    const std::string_view word = line.substr(space == std::string_view::npos ? 0 : space + 1);
    const std::string_view path =
        without_space_behind(line.substr(0, space == std::string_view::npos ? 0 : space));
    int32_t label = 0;
    const auto [rest, reason] = std::from_chars(word.data(), word.data() + word.size(), label);
    require(reason == std::errc() && rest == word.data() + word.size() && !path.empty(), list, ":",
            number, ": is \"", line.substr(0, 200),
            "\", expected a path, a space and a label, an integer");
    names.add(path);
    labels.push_back(label);
  }
  require(names.size() > 0, list, ": names no image; expected lines of a path and a label");
  return open_image_files(root, std::move(names), std::move(labels), {});
}

}  // namespace orepa
