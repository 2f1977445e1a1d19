#include "orepa/data_source.h"

#include <filesystem>
#include <map>
#include <mutex>

#include "data/sources/sources.h"
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

// Where a path leads, so that two names of one source are one.
std::string place_of(const std::string& path) {
  std::error_code reason;
  const std::filesystem::path place = std::filesystem::weakly_canonical(path, reason);
  return reason ? path : place.string();
}

std::unique_ptr<DataSource> open_new(const SourceName& name, bool labels) {
  const std::string& source = name.source;
  if (name.backend == "FOLDER") return open_folder(source, name.index);
  if (name.backend == "LIST") return open_list(source, name.root_folder);
  if (name.backend == "LMDB") return open_lmdb(source);
  if (name.backend == "LEVELDB") return open_leveldb(source, name.index);
  if (name.backend == "TAR") return open_tar(source, name.index, labels);
  if (name.backend == "HDF5") return open_hdf5(source, labels);
  require(name.backend == "IDX", "there is no source of samples ", name.backend,
          "; there are FOLDER, HDF5, IDX, LEVELDB, LIST, LMDB and TAR");
  if (!labels) return open_idx(source, "");
  return open_idx(source, name.label_source.empty() ? label_file(source) : name.label_source);
}

// Those that hold their labels beside the images, and may be opened without.
bool labels_lie_apart(const std::string& backend) {
  return backend == "IDX" || backend == "TAR" || backend == "HDF5";
}

}  // namespace

const std::vector<std::string>& DataSource::classes() const {
  static const std::vector<std::string> none;
  return none;
}

std::shared_ptr<const DataSource> open_data_source(const SourceName& name, bool labels) {
  static std::mutex mutex;
  static std::map<std::vector<std::string>, std::weak_ptr<const DataSource>> open;
  require(!name.source.empty(), "data_param.source is missing: where the samples are");
  const std::vector<std::string> key{name.backend, place_of(name.source), name.root_folder,
                                     place_of(name.label_source),
                                     labels || !labels_lie_apart(name.backend) ? "labels" : ""};
  const std::lock_guard lock(mutex);
  std::weak_ptr<const DataSource>& entry = open[key];
  std::shared_ptr<const DataSource> source = entry.lock();
  if (source == nullptr) {
    source = open_new(name, labels);
    entry = source;
  }
  std::erase_if(open, [](const auto& item) { return item.second.expired(); });
  return source;
}

std::shared_ptr<const DataSource> open_data_source(const Options& data_param, bool labels) {
  return open_data_source(
      {data_param.string("source"), data_param.choice("backend"), data_param.string("label_source"),
       data_param.string("root_folder"), data_param.string("index")},
      labels);
}

}  // namespace orepa
