// BatchFile: an HDF5 file of what passes have in device memory, batch behind batch, while the
// device goes on: what a pass sends is written when a later one comes.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "data/hdf5_row_writer.h"
#include "orepa/device.h"

namespace orepa {

class BatchFile {
 public:
  // `arrays`: their names in the file. Throws Error where nothing can be written there.
  BatchFile(const std::string& path, std::vector<std::string> arrays);

  // The next rows of every array: float32, and of one row's shape in every call. They may be
  // written over once what is issued later runs. Throws Error where the disk is full.
  void add(Device& device, const std::vector<Tensor>& tensors);
  // The file gets its name, with all that add() was given since the last of these two calls; it
  // stays as it was where that is nothing. Throws Error where it cannot be written.
  void finish();
  void drop();

 private:
  struct Slot {
    HostMemory memory;
    std::unique_ptr<Event> sent;
    std::vector<Shape> shapes;  // empty: nothing to be written
  };
  void write(Slot& slot);

  const std::string path_;
  const std::vector<std::string> arrays_;
  std::vector<Shape> rows_;  // of each array: one row
  Slot slots_[2];
  int next_ = 0;  // the older of the two
  std::unique_ptr<Hdf5RowWriter> writer_;
};

// That of a path: whoever opens what is open shares it, which the nets of one phase may do.
// Throws Error where nets of another phase have it.
std::shared_ptr<BatchFile> open_batch_file(const std::string& path,
                                           const std::vector<std::string>& arrays,
                                           const std::string& phase);

}  // namespace orepa
