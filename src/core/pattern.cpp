#include "core/pattern.h"

#include "orepa/error.h"

namespace orepa {
namespace {

re2::RE2::Options quiet() {
  re2::RE2::Options options;
  options.set_log_errors(false);
  return options;
}

// Of what other dialects have, by its name.
std::string remedy(const re2::RE2& expression) {
  const std::string& part = expression.error_arg();
  if (expression.error_code() == re2::RE2::ErrorBadPerlOp)
    return "; look-ahead and look-behind, (?= (?! (?<= (?<!, are not offered";
  if (expression.error_code() == re2::RE2::ErrorBadEscape && part.size() > 1 && part[1] >= '1' &&
      part[1] <= '9')
    return "; back-references, \\1 to \\9, are not offered";
  return "";
}

}  // namespace

Pattern::Pattern(const std::string& what, const std::string& pattern)
    : expression_(pattern, quiet()) {
  require(expression_.ok(), what, " \"", pattern,
          "\" is no regular expression of whole names: ", expression_.error(), remedy(expression_));
}

}  // namespace orepa
