// NetText: a net's prototxt as it was written. A program that replaces some layers leaves the rest
// byte for byte as it is, comments and what it does not know of other forks of Caffe included.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "io/text/text_scan.h"
#include "orepa/model_io.h"

namespace orepa {

class NetText {
 public:
  // `name` is that of the file. Throws Error where the text is no sequence of tokens.
  NetText(std::string content, const std::string& name);

  const std::string& content() const { return content_; }
  // The same with blanks where unknown fields stand: for parse_text(), with every place as it was.
  std::string known() const;
  std::vector<UnknownField> unknown_fields() const;
  int layers() const;

  // With other text in place of layers, by their index; a layer in whose place none comes goes with
  // the comments in front of it.
  std::string replaced(const std::map<int, std::string>& layers) const;
  // With blanks in place of layers.
  std::string without(const std::set<int>& layers) const;

 private:
  std::string content_, name_;
  TextScan scan_;
};

}  // namespace orepa
