// ErrorList: errors that are found one after another, to be told together.
#pragma once
#include <string>
#include <vector>

#include "orepa/error.h"

namespace orepa {

// What ErrorList throws: what() has all errors, one a line.
class Errors : public Error {
 public:
  explicit Errors(std::vector<std::string> each) : Error(lines_of(each)), each_(std::move(each)) {}
  const std::vector<std::string>& each() const { return each_; }

 private:
  static std::string lines_of(const std::vector<std::string>& each) {
    std::string lines;
    for (const std::string& error : each) lines += (lines.empty() ? "" : "\n") + error;
    return lines;
  }

  std::vector<std::string> each_;
};

class ErrorList {
 public:
  void add(std::string error) { each_.push_back(std::move(error)); }
  // Adds text(parts...) unless `condition` holds.
  template <class... Parts>
  void require(bool condition, const Parts&... parts) {
    if (!condition) add(text(parts...));
  }
  // Whether the call comes to its end; where it throws Error or Errors, they are added.
  template <class Call>
  bool attempt(Call call) {
    try {
      call();
      return true;
    } catch (const Errors& errors) {
      each_.insert(each_.end(), errors.each().begin(), errors.each().end());
    } catch (const Error& error) {
      add(error.what());
    }
    return false;
  }
  bool empty() const { return each_.empty(); }
  const std::vector<std::string>& each() const { return each_; }
  // Throws what there is: Error where it is one, Errors where they are several.
  void raise() const {
    if (each_.size() == 1) throw Error(each_[0]);
    if (!each_.empty()) throw Errors(each_);
  }

 private:
  std::vector<std::string> each_;
};

}  // namespace orepa
