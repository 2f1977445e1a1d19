#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "data/sources/image_files.h"
#include "data/sources/sample_index.h"
#include "data/sources/sources.h"
#include "orepa/error.h"

namespace orepa {
namespace {

namespace fs = std::filesystem;

struct Content {
  std::vector<std::string> folders, images;  // names, in the order of their bytes
};

// One walk through a folder and those in it.
class FolderWalk {
 public:
  explicit FolderWalk(std::string root) : root_(std::move(root)) {}

  // What lies in root / folder; "" is the root.
  Content content(const std::string& folder) {
    const std::string path = path_of(folder);
    Content content;
    std::error_code reason;
    // Before it is read: what comes later changes it.
    states.push_back(state_of(path));
    for (fs::directory_iterator entry(path, reason), end; !reason && entry != end;
         entry.increment(reason)) {
      const std::string name = entry->path().filename().string();
      if (name.starts_with('.')) continue;
      const bool image = is_image_name(name);
      // Only of links the file system has to be asked: the folder knows its folders.
      std::error_code nowhere;
      const bool is_folder = entry->is_directory(nowhere);
      require(!image || !entry->is_symlink(nowhere) || entry->exists(nowhere),
              entry->path().string(), ": is a link that leads nowhere");
      if (is_folder)
        content.folders.push_back(name);
      else if (image)
        content.images.push_back(name);
    }
    require(!reason, path, ": cannot be read: ", reason.message());
    std::sort(content.folders.begin(), content.folders.end());
    std::sort(content.images.begin(), content.images.end());
    return content;
  }

  // Adds the images in a folder, and in the folders in it, by their paths from the root.
  void add_images(const std::string& folder, std::vector<std::string>& images) {
    struct stat status {};
    require(::stat(path_of(folder).c_str(), &status) == 0, path_of(folder), ": cannot be read");
    const std::pair<dev_t, ino_t> self{status.st_dev, status.st_ino};
    require(std::find(above_.begin(), above_.end(), self) == above_.end(), path_of(folder),
            ": is a link to a folder that it lies in");
    above_.push_back(self);
    const Content here = content(folder);
    for (const std::string& name : here.images) images.push_back(folder + "/" + name);
    for (const std::string& name : here.folders) add_images(folder + "/" + name, images);
    above_.pop_back();
  }

  std::string path_of(const std::string& folder) const {
    return folder.empty() ? root_ : root_ + "/" + folder;
  }

  std::vector<FileState> states;  // of all folders so far

 private:
  std::string root_;
  std::vector<std::pair<dev_t, ino_t>> above_;
};

SampleIndex find_images(const std::string& folder) {
  FolderWalk walk(folder);
  SampleIndex index;
  const Content top = walk.content("");
  require(top.images.empty() || top.folders.empty(), folder, ": has images (",
          top.images.empty() ? "" : top.images[0],
          ") beside the folders of its classes; each belongs into one of them");
  require(!top.folders.empty(), folder,
          ": has no folders; expected one for each class, with its images");
  for (const std::string& name : top.folders) {
    std::vector<std::string> images;
    walk.add_images(name, images);
    std::sort(images.begin(), images.end());
    for (const std::string& image : images) index.names.add(image);
    index.labels.resize(static_cast<size_t>(index.names.size()),
                        static_cast<int64_t>(index.classes.size()));
    index.classes.push_back(name);
  }
  require(index.names.size() > 0, folder,
          ": has no images in its folders; expected files *.jpg, *.jpeg or *.png");
  index.states = std::move(walk.states);
  return index;
}

}  // namespace

std::unique_ptr<DataSource> open_folder(const std::string& path, const std::string& index) {
  const std::string folder = path.substr(0, path.find_last_not_of('/') + 1);
  require(fs::is_directory(folder), folder,
          ": is no folder; expected one with a folder for each class (`orepa_tool train --data "
          "DIR` reads "
          "DIR/train and DIR/val)");
  SampleIndex found = kept_index(index, "FOLDER " + folder, [&] { return find_images(folder); });
  return open_image_files(folder + "/", std::move(found.names), std::move(found.labels),
                          std::move(found.classes));
}

}  // namespace orepa
