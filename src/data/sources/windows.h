// R-CNN's window files: windows of images, each with a class and how far it overlaps an object.
//
//   # 0
//   path/of/image.jpg
//   3                        (channels)
//   375                      (height)
//   500                      (width)
//   2                        (windows)
//   12 0.81 10 20 109 219    (class, overlap, left, top, right, bottom)
//   12 0.24 0 0 99 99
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "data/sources/names.h"
#include "orepa/data_source.h"

namespace orepa {

struct WindowOptions {
  std::string source, root_folder;  // which stands before every path
  float foreground = 0.5f, background = 0.5f;
  bool keep_files = false;  // in memory, once they were read
};

// Samples are windows: those of the foreground, whose overlap is `foreground` at least, with their
// classes, and then those of the background, below `background`, with label 0. Others are left out.
class WindowFile : public DataSource {
 public:
  // Throws Error that names file and line.
  explicit WindowFile(WindowOptions options);

  int64_t foreground() const { return static_cast<int64_t>(foreground_.size()); }
  int64_t size() const override { return foreground() + static_cast<int64_t>(background_.size()); }
  void read(int64_t index, Record& record) const override;
  std::string name(int64_t index) const override;
  const Labels* labels() const override { return &labels_; }

 private:
  struct Window {
    int32_t image, label, left, top, right, bottom;
  };
  struct KeptFile {
    std::once_flag read;
    std::vector<unsigned char> content;
  };
  void parse(const std::string& content);
  const Window& window(int64_t index) const;
  std::string path(const Window& window) const;

  const WindowOptions options_;
  Names images_;
  std::vector<Window> foreground_, background_;
  Labels labels_{0, 0};
  mutable std::vector<KeptFile> kept_;  // by image
};

}  // namespace orepa
