#include "table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace orepa::tool {

Table::Table(std::vector<std::string> titles, size_t left) : rows_{std::move(titles)}, left_(left) {
  add_rule();
}

void Table::add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

void Table::add_rule() { rows_.emplace_back(); }

std::string Table::str() const {
  std::vector<size_t> widths(rows_[0].size(), 0);
  for (const auto& row : rows_)
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());

  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t c = 0; c < widths.size(); ++c) {
      const std::string cell = row.empty() ? std::string(widths[c], '-') : row[c];
      const std::string padding(widths[c] - cell.size(), ' ');
      line += (c == 0 ? "" : "  ") + (c < left_ ? cell + padding : padding + cell);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::string decimals(double value, int digits) {
  char buffer[400];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

std::string scientific(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.1e", value);
  return buffer;
}

std::string grouped(int64_t value) {
  std::string digits = std::to_string(value);
  const int first = value < 0 ? 1 : 0;
  for (int at = static_cast<int>(digits.size()) - 3; at > first; at -= 3) digits.insert(at, ",");
  return digits;
}

std::string mebibytes(int64_t bytes) { return decimals(static_cast<double>(bytes) / (1 << 20), 1); }

std::string clock(double seconds) {
  const int64_t whole = std::llround(seconds);
  char buffer[64];
  if (whole < 3600)
    std::snprintf(buffer, sizeof buffer, "%d:%02d", static_cast<int>(whole / 60),
                  static_cast<int>(whole % 60));
  else
    std::snprintf(buffer, sizeof buffer, "%lld:%02d:%02d", static_cast<long long>(whole / 3600),
                  static_cast<int>(whole / 60 % 60), static_cast<int>(whole % 60));
  return buffer;
}

}  // namespace orepa::tool
