// Cursor: a place in a text that moves forward, with lines and columns as protobuf's tokenizer
// counts them.
#pragma once
#include <cstddef>
#include <string>

namespace orepa {

class Cursor {
 public:
  explicit Cursor(const std::string& content) : content_(content) {}
  void advance_to(size_t offset) {
    while (offset_ < offset && offset_ < content_.size()) step();
  }
  void advance_to(int line, int column) {
    while (offset_ < content_.size() && (line_ < line || (line_ == line && column_ < column)))
      step();
  }
  size_t offset() const { return offset_; }
  int line() const { return line_; }
  int column() const { return column_; }

 private:
  void step() {
    constexpr int kTab = 8;
    const char passed = content_[offset_++];
    if (passed == '\n') {
      ++line_;
      column_ = 0;
    } else {
      column_ += passed == '\t' ? kTab - column_ % kTab : 1;
    }
  }
  const std::string& content_;
  size_t offset_ = 0;
  int line_ = 0, column_ = 0;
};

}  // namespace orepa
