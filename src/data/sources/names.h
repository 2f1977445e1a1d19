// Names: strings one behind another, so that a million of them are two allocations.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace orepa {

class Names {
 public:
  Names() = default;
  // The strings of `text` that end at `ends`. REQUIRES: valid(text, ends).
  Names(std::string text, std::vector<uint64_t> ends)
      : text_(std::move(text)), ends_(std::move(ends)) {}
  static bool valid(const std::string& text, const std::vector<uint64_t>& ends) {
    uint64_t start = 0;
    for (const uint64_t end : ends) {
      if (end < start) return false;
      start = end;
    }
    return start == text.size();
  }

  void add(std::string_view name) {
    text_ += name;
    ends_.push_back(text_.size());
  }
  int64_t size() const { return static_cast<int64_t>(ends_.size()); }
  std::string_view operator[](int64_t index) const {
    const auto at = static_cast<size_t>(index);
    const uint64_t start = at == 0 ? 0 : ends_[at - 1];
    return std::string_view(text_).substr(start, ends_[at] - start);
  }

  const std::string& text() const { return text_; }
  const std::vector<uint64_t>& ends() const { return ends_; }

 private:
  std::string text_;
  std::vector<uint64_t> ends_;
};

}  // namespace orepa
