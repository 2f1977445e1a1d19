#include "orepa/error.h"

#include <algorithm>
#include <numeric>

namespace orepa {
namespace {

// Nobody mistypes a longer one, and the work grows with the square.
constexpr size_t kLongestName = 256;

// Levenshtein's distance.
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest_name(const std::string& name, const std::vector<std::string>& known) {
  std::string nearest;
  if (name.size() > kLongestName) return nearest;
  size_t least = name.size() / 2 + 1;
  for (const std::string& candidate : known) {
    // No distance is below the difference of lengths.
    if (std::max(name.size(), candidate.size()) - std::min(name.size(), candidate.size()) >= least)
      continue;
    const size_t distance = edit_distance(name, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string did_you_mean(const std::string& name, const std::vector<std::string>& known,
                         const std::string& otherwise) {
  const std::string nearest = nearest_name(name, known);
  return nearest.empty() ? otherwise : "; did you mean \"" + nearest + "\"?";
}

}  // namespace orepa
