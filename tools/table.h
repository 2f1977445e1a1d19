// Tables and numbers as people read them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace orepa::tool {

// Columns as wide as their widest cell; the first `left` columns are aligned to the left, the
// others, numbers, to the right.
class Table {
 public:
  Table(std::vector<std::string> titles, size_t left);
  void add(std::vector<std::string> cells);  // one a column
  void add_rule();                           // a line, before totals
  std::string str() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // an empty one is a rule
  size_t left_;
};

std::string decimals(double value, int digits);  // 12.35
std::string scientific(double value);            // 1.2e-07
std::string grouped(int64_t value);              // 11,689,512
std::string mebibytes(int64_t bytes);            // "12.4"
std::string clock(double seconds);               // 2:05, 1:02:05

}  // namespace orepa::tool
