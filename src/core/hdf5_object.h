// What reading and writing HDF5 share: handles with one owner, and objects by their paths.
#pragma once
#include <hdf5.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "orepa/tensor.h"

namespace orepa::hdf5 {

static_assert(sizeof(hid_t) == sizeof(int64_t), "HDF5 1.10 or newer");

// One HDF5 handle; invalid where the call that made it failed.
class Object {
 public:
  Object(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Object(Object&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  ~Object() {
    if (valid()) close_(id_);
  }
  bool valid() const { return id_ >= 0; }
  operator hid_t() const { return id_; }
  hid_t release() { return std::exchange(id_, -1); }  // whoever takes it closes it

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

// HDF5 is not thread-safe: whoever calls it holds this, from his first handle to the last one's end.
[[nodiscard]] std::unique_lock<std::recursive_mutex> hold();
// HDF5 prints nothing from here on.
void silence();
// "/conv/weight" of "conv/weight".
std::string absolute(const std::string& name);
bool exists(hid_t file, const std::string& name);
// Throw Error, which starts with `path`, where there is none of that absolute name.
Object open_array(hid_t file, const std::string& path, const std::string& name);
Object open_object(hid_t file, const std::string& path, const std::string& name);
// Throws Error where the array's shape cannot be read.
Shape shape_of(hid_t array, const std::string& path, const std::string& name);

}  // namespace orepa::hdf5
