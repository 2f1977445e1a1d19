#include "orepa/data_source.h"

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

}  // namespace

std::unique_ptr<DataSource> open_data_source(const Options& data_param, bool labels) {
  const std::string source = data_param.string("source");
  require(!source.empty(), "data_param.source is missing: the file of the images");
  const std::string backend = data_param.choice("backend");
  require(backend == "IDX", "data_param.backend ", backend, " cannot be read; IDX can");
  if (!labels) return open_idx(source, "");
  return open_idx(source, data_param.has("label_source") ? data_param.string("label_source")
                                                         : label_file(source));
}

}  // namespace orepa
