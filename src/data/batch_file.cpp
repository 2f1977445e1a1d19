#include "data/batch_file.h"

#include <map>
#include <mutex>
#include <utility>

#include "core/atomic_file.h"
#include "orepa/error.h"

namespace orepa {

BatchFile::BatchFile(const std::string& path, std::vector<std::string> arrays)
    : path_(path), arrays_(std::move(arrays)) {
  require(!destination_of(path).stream, path, ": is no file; HDF5 cannot be written into it");
}

void BatchFile::add(Device& device, const std::vector<Tensor>& tensors) {
  Slot& slot = slots_[next_];
  write(slot);
  next_ = 1 - next_;
  int64_t bytes = 0;
  for (const Tensor& tensor : tensors) bytes += tensor.bytes();
  if (slot.memory.bytes() < bytes) slot.memory = HostMemory(device, bytes);
  if (!slot.sent) slot.sent = device.event();
  auto* to = static_cast<char*>(slot.memory.data());
  for (const Tensor& tensor : tensors) {
    device.send_to_host(to, tensor.floats(), tensor.bytes());
    slot.shapes.push_back(tensor.shape);
    to += tensor.bytes();
  }
  slot.sent->record();
}

void BatchFile::write(Slot& slot) {
  const std::vector<Shape> shapes = std::exchange(slot.shapes, {});
  if (shapes.empty()) return;
  slot.sent->wait();
  std::vector<Shape> rows;
  std::map<std::string, Shape> arrays;
  for (size_t a = 0; a < arrays_.size(); ++a) {
    std::vector<int64_t> extents = shapes[a].extents();
    extents[0] = 1;
    rows.emplace_back(extents);
    extents[0] = 0;  // as many as come
    arrays[arrays_[a]] = Shape(extents);
  }
  if (!writer_) {
    writer_ = std::make_unique<Hdf5RowWriter>(path_, arrays);
    rows_ = rows;
  }
  const auto* from = static_cast<const float*>(slot.memory.data());
  for (size_t a = 0; a < arrays_.size(); ++a) {
    require(rows[a] == rows_[a], path_, ": a row of ", arrays_[a], " is ", rows[a].str(),
            ", but in earlier passes ", rows_[a].str());
    std::vector<float> ordered(static_cast<size_t>(shapes[a].count()));
    to_caffe_order(shapes[a], from, ordered.data());
    writer_->add(arrays_[a], ordered);
    from += shapes[a].count();
  }
}

void BatchFile::finish() {
  write(slots_[next_]);
  write(slots_[1 - next_]);
  if (const std::unique_ptr<Hdf5RowWriter> writer = std::move(writer_)) writer->finish();
}

void BatchFile::drop() {
  for (Slot& slot : slots_)
    if (!std::exchange(slot.shapes, {}).empty()) slot.sent->wait();
  writer_.reset();
}

std::shared_ptr<BatchFile> open_batch_file(const std::string& path,
                                           const std::vector<std::string>& arrays,
                                           const std::string& phase) {
  struct Entry {
    std::weak_ptr<BatchFile> file;
    std::string phase;
  };
  static std::mutex mutex;
  static std::map<std::string, Entry> open;
  const std::string place = destination_of(path).path;
  const std::lock_guard lock(mutex);
  Entry& entry = open[place];
  std::shared_ptr<BatchFile> file = entry.file.lock();
  require(file == nullptr || entry.phase == phase, path, ": is written by the net of phase ",
          entry.phase, "; that of phase ", phase, " needs a file of its own");
  if (file == nullptr) {
    file = std::make_shared<BatchFile>(path, arrays);
    entry = {file, phase};
  }
  std::erase_if(open, [](const auto& item) { return item.second.file.expired(); });
  return file;
}

}  // namespace orepa
