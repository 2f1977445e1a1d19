// Names for the blobs of a net that is written anew, in an order that differs from the one in which
// its blobs were named: a layer in place may by now write over what others still have to read.
#pragma once
#include <set>
#include <string>
#include <vector>

namespace orepa {

// A layer that is to be written, in order. A value is written once.
struct WrittenLayer {
  std::string name;
  std::vector<int> reads, writes;  // values
  bool may_overwrite = false;      // whether every reader of the file computes it right in place
};

// The name of each value, from the one that it has: values of one name keep it where each is
// written in place over the one before, which nobody reads any more. Else the last of them keeps
// it, or the one that comes from outside (`WrittenLayer` without reads), and the others get
// "NAME_LAYER". The names of values that no layer writes stay as they are.
std::vector<std::string> blob_names(const std::vector<WrittenLayer>& layers,
                                    const std::vector<std::string>& names);

// `name` or, where that is one of `taken`, the first of "name_2", "name_3", ... that is not.
std::string free_name(const std::string& name, const std::set<std::string>& taken);

}  // namespace orepa
