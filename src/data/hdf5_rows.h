// Hdf5Rows: an array of an HDF5 file, of which some rows are read at a time. Threads take turns
// (see orepa/tensor_file.h).
#pragma once
#include <string>

#include "orepa/tensor.h"

namespace orepa {

class Hdf5Rows {
 public:
  // Throws Error where there is no array of numbers of that name, or one without rows, or where it
  // claims more than a file of its size can hold.
  Hdf5Rows(const std::string& path, const std::string& name);
  Hdf5Rows(const Hdf5Rows&) = delete;
  Hdf5Rows& operator=(const Hdf5Rows&) = delete;
  ~Hdf5Rows();

  const Shape& shape() const { return shape_; }
  bool holds_bytes() const;     // unsigned, of 8 bits
  bool holds_integers() const;  // of any size
  // Rows [first, first + count), row-major; numbers are converted.
  void read(int64_t first, int64_t count, unsigned char* to) const;
  void read(int64_t first, int64_t count, int64_t* to) const;
  void read(int64_t first, int64_t count, float* to) const;

 private:
  void read_as(int64_t type, int64_t first, int64_t count, void* to) const;

  std::string where_;
  int64_t file_ = -1, array_ = -1;
  Shape shape_;
};

}  // namespace orepa
