#include "orepa/data_source.h"

#include <functional>
#include <map>
#include <mutex>

#include "orepa/error.h"

namespace orepa {
namespace {

// "train-images-idx3-ubyte.gz" -> "train-labels-idx1-ubyte.gz".
std::string label_file(const std::string& images) {
  for (const std::string pattern : {"images-idx3", "images-idx4"}) {
    const size_t at = images.rfind(pattern);
    if (at != std::string::npos)
      return images.substr(0, at) + "labels-idx1" + images.substr(at + pattern.size());
  }
  fail(images, ": the file of labels cannot be told from this name (it has no \"images-idx3\"); ",
       "give data_param.label_source");
}

// What is open, by its name; shared as long as anybody has it.
class OpenSources {
 public:
  std::shared_ptr<const DataSource> of(const std::string& name,
                                       const std::function<std::unique_ptr<DataSource>()>& open) {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<const DataSource> source = sources_[name].lock();
    if (!source) sources_[name] = source = open();
    return source;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<const DataSource>> sources_;
};

OpenSources& open_sources() {
  static OpenSources sources;
  return sources;
}

}  // namespace

std::shared_ptr<const DataSource> open_data_source(const Options& data_param, bool labels) {
  const std::string source = data_param.string("source");
  require(!source.empty(), "data_param.source is missing: the file of the images");
  const std::string backend = data_param.choice("backend");
  require(backend == "IDX", "data_param.backend ", backend, " cannot be read; IDX can");
  std::string label_source;
  if (labels)
    label_source =
        data_param.has("label_source") ? data_param.string("label_source") : label_file(source);
  return open_sources().of(text(backend, '\n', source, '\n', label_source),
                           [&] { return open_idx(source, label_source); });
}

}  // namespace orepa
