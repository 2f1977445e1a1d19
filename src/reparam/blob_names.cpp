#include "reparam/blob_names.h"

#include <algorithm>
#include <map>

#include "orepa/error.h"

namespace orepa {
namespace {

// Values of one name, each written in place over the one before.
using Run = std::vector<int>;

class BlobNames {
 public:
  BlobNames(const std::vector<WrittenLayer>& layers, const std::vector<std::string>& names)
      : layers_(layers), names_(names), last_reader_(names.size(), -1), writer_(names.size(), -1) {
    for (int l = 0; l < static_cast<int>(layers.size()); ++l) {
      for (const int value : layers[l].reads) last_reader_[value] = l;
      for (const int value : layers[l].writes) writer_[value] = l;
    }
    for (const WrittenLayer& layer : layers)
      for (const int value : layer.writes) {
        std::vector<Run>& runs = runs_[names[value]];
        if (runs.empty() || !overwrites(value, runs.back().back())) runs.emplace_back();
        runs.back().push_back(value);
      }
  }

  std::vector<std::string> assigned() const {
    std::vector<std::string> assigned = names_;
    std::set<std::string> taken;
    for (const auto& [name, runs] : runs_) taken.insert(name);
    for (const auto& [name, runs] : runs_) {
      const bool from_outside = layers_[writer_[runs.front().front()]].reads.empty();
      const Run& keeps = from_outside ? runs.front() : runs.back();
      for (const Run& run : runs) {
        if (&run == &keeps) continue;
        const std::string other = free_name(name + "_" + layers_[writer_[run.back()]].name, taken);
        taken.insert(other);
        for (const int value : run) assigned[value] = other;
      }
    }
    return assigned;
  }

 private:
  bool overwrites(int value, int older) const {
    const WrittenLayer& layer = layers_[writer_[value]];
    return layer.may_overwrite && last_reader_[older] == writer_[value];
  }

  const std::vector<WrittenLayer>& layers_;
  const std::vector<std::string>& names_;
  std::vector<int> last_reader_, writer_;  // of values: a layer
  std::map<std::string, std::vector<Run>> runs_;
};

}  // namespace

std::vector<std::string> blob_names(const std::vector<WrittenLayer>& layers,
                                    const std::vector<std::string>& names) {
  return BlobNames(layers, names).assigned();
}

std::string free_name(const std::string& name, const std::set<std::string>& taken) {
  std::string found = name;
  for (size_t n = 2; taken.contains(found); ++n) found = text(name, "_", n);
  return found;
}

}  // namespace orepa
