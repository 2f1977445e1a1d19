// DataSource: a set of samples that can be read in any order, each as it is stored.
//
// A source owns what it needs (files, memory) and does not change once it is open, so any number of
// threads may read it at a time. Opening and reading throw Error that names the file, what was
// got and what was expected.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "orepa/options.h"

namespace orepa {

// One sample as its source has it.
struct Record {
  enum class Kind {
    kFile,     // a JPEG or PNG file
    kPixels,   // bytes, 0 to 255
    kNumbers,  // float32, in this machine's order, perhaps not aligned
  };
  Kind kind = Kind::kPixels;
  int64_t channels = 0, height = 0, width = 0;  // of kPixels and kNumbers, row-major: C, H, W
  std::span<const unsigned char> content;
  int64_t label = 0;  // 0 where the source was opened without labels
  // Of a source of windows: the part of the image that the sample is, edges included.
  struct Window {
    int64_t left, top, right, bottom;
  };
  std::optional<Window> window;
  // For sources whose content lies nowhere else; its memory is used again by the next read().
  std::vector<unsigned char> buffer;
};

class DataSource {
 public:
  virtual ~DataSource() = default;
  virtual int64_t size() const = 0;  // samples; at least 1
  // Fills `record`, whose content stays until it is read into again, or the source ends. A record
  // belongs to one thread. REQUIRES: 0 <= index < size().
  virtual void read(int64_t index, Record& record) const = 0;
  // What a message calls this sample: a path, "sample 7 of FILE", a key.
  virtual std::string name(int64_t index) const = 0;
  // The largest label and the smallest, where all of them are known without reading every sample.
  struct Labels {
    int64_t least, most;
  };
  virtual const Labels* labels() const { return nullptr; }
  // Names of the classes, by label; empty where the source knows none.
  virtual const std::vector<std::string>& classes() const;
};

// Where samples are, in the words of a DataParameter, whose comments say what they mean.
struct SourceName {
  std::string source, backend = "LEVELDB", label_source = "", root_folder = "", index = "";
};

// The source of that name. Labels are looked for only where they are wanted. Whoever opens the same
// one while it is open shares it.
std::shared_ptr<const DataSource> open_data_source(const SourceName& name, bool labels);
// The one that a DataParameter names.
std::shared_ptr<const DataSource> open_data_source(const Options& data_param, bool labels);

// Files of MNIST's format (IDX), plain or gzipped: unsigned bytes, N x H x W or N x C x H x W, and
// labels N. They are kept in memory as bytes. An empty `labels` opens the images alone.
std::unique_ptr<DataSource> open_idx(const std::string& images, const std::string& labels);

}  // namespace orepa
