// Pattern: a regular expression that has to match a whole name.
//
// Matching takes time linear in the name, and memory within a fixed budget, whatever the pattern
// (RE2): patterns come from files that nobody has to trust. So there are neither look-ahead nor
// back-references.
#pragma once
#include <re2/re2.h>

#include <string>

namespace orepa {

class Pattern {
 public:
  // Throws Error that starts with `what` ("param_rule") where the pattern is no regular expression.
  Pattern(const std::string& what, const std::string& pattern);
  bool matches(const std::string& name) const { return re2::RE2::FullMatch(name, expression_); }

 private:
  re2::RE2 expression_;
};

}  // namespace orepa
