#include "data/sources/shard_names.h"

#include <glob.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "orepa/error.h"

namespace orepa {
namespace {

constexpr size_t kMostShards = 1'000'000;

bool parse_number(std::string_view digits, uint64_t& value) {
  const char* end = digits.data() + digits.size();
  const auto [rest, reason] = std::from_chars(digits.data(), end, value);
  return reason == std::errc() && rest == end;
}

// "000..002" or "train,extra".
std::vector<std::string> words_of(const std::string& pattern, const std::string& braces) {
  std::vector<std::string> words;
  if (const size_t dots = braces.find(".."); dots != std::string::npos) {
    const std::string first = braces.substr(0, dots), last = braces.substr(dots + 2);
    uint64_t from = 0, to = 0;
    require(parse_number(first, from) && parse_number(last, to) && from <= to &&
                to - from < kMostShards,
            pattern, ": {", braces, "} is no range; expected {FIRST..LAST}, as in {000..127}");
    for (uint64_t number = from; number <= to; ++number) {
      const std::string digits = std::to_string(number);
      words.push_back(std::string(first.size() - std::min(first.size(), digits.size()), '0') +
                      digits);
    }
    return words;
  }
  for (size_t start = 0;;) {
    const size_t comma = braces.find(',', start);
    words.push_back(braces.substr(start, comma - start));
    if (comma == std::string::npos) return words;
    start = comma + 1;
  }
}

std::vector<std::string> without_braces(const std::string& pattern) {
  std::vector<std::string> names{""};
  for (size_t at = 0; at < pattern.size();) {
    const size_t open = std::min(pattern.find('{', at), pattern.size());
    for (std::string& name : names) name += pattern.substr(at, open - at);
    if (open == pattern.size()) break;
    const size_t close = pattern.find('}', open);
    require(close != std::string::npos, pattern, ": has a { without a }");
    std::vector<std::string> longer;
    const std::vector<std::string> words =
        words_of(pattern, pattern.substr(open + 1, close - open - 1));
    require(names.size() * words.size() <= kMostShards, pattern, ": stands for more than ",
            kMostShards, " files");
    for (const std::string& name : names)
      for (const std::string& word : words) longer.push_back(name + word);
    names = std::move(longer);
    at = close + 1;
  }
  return names;
}

// In the order of bytes.
std::vector<std::string> matches(const std::string& pattern) {
  struct Matches {
    glob_t found{};
    ~Matches() { globfree(&found); }
  } all;
  ::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &all.found);
  std::vector<std::string> names(all.found.gl_pathv, all.found.gl_pathv + all.found.gl_pathc);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code reason;
  for (std::filesystem::directory_iterator entry(folder, reason), end; !reason && entry != end;
       entry.increment(reason))
    if (entry->path().extension() == ".tar") names.push_back(entry->path().string());
  require(!reason, folder, ": cannot be read: ", reason.message());
  require(!names.empty(), folder, ": has no *.tar");
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

std::vector<std::string> shard_names(const std::string& pattern) {
  if (std::filesystem::is_directory(pattern)) return files_in(pattern);
  if (std::filesystem::exists(pattern)) return {pattern};
  std::vector<std::string> names;
  for (const std::string& name : without_braces(pattern)) {
    if (name.find_first_of("*?") == std::string::npos) {
      names.push_back(name);
      continue;
    }
    const std::vector<std::string> found = matches(name);
    require(!found.empty(), name, ": no file is named so");
    names.insert(names.end(), found.begin(), found.end());
  }
  return names;
}

}  // namespace orepa
