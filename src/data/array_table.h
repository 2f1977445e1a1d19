// ArrayTable: arrays of several HDF5 files, by name, as one long table: the rows of a file stand
// behind those of the one before. Files may be larger than memory and have any number of rows.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "orepa/tensor.h"

namespace orepa {

class Hdf5Rows;

class ArrayTable {
 public:
  // `list`: a text file that names a file a line. Throws Error where one has not all the arrays, or
  // where they are of other shapes than the first one's.
  ArrayTable(const std::string& list, const std::vector<std::string>& arrays);
  ~ArrayTable();

  int64_t rows() const { return starts_.back(); }
  // Of one row of an array: the extents but the first.
  const Shape& row_shape(size_t array) const { return row_shapes_[array]; }
  // Row-major. Any thread. REQUIRES: 0 <= row < rows().
  void read(size_t array, int64_t row, float* to) const;

 private:
  void add(const std::string& path, const std::vector<std::string>& arrays);

  using Arrays = std::vector<std::unique_ptr<Hdf5Rows>>;
  std::vector<Arrays> files_;
  std::vector<int64_t> starts_{0};  // the first row of each file, and the end
  std::vector<Shape> row_shapes_;
};

}  // namespace orepa
