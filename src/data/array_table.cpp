#include "data/array_table.h"

#include <algorithm>
#include <sstream>

#include "core/input_file.h"
#include "data/hdf5_rows.h"
#include "orepa/error.h"

namespace orepa {
namespace {

Shape row_shape_of(const Shape& shape) {
  return Shape(std::vector<int64_t>(shape.extents().begin() + 1, shape.extents().end()));
}

}  // namespace

ArrayTable::ArrayTable(const std::string& list, const std::vector<std::string>& arrays) {
  std::istringstream lines(read_file(list));
  for (std::string line; std::getline(lines, line);) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (!line.empty()) add(line, arrays);
  }
  require(!files_.empty(), list, ": names no file; expected an HDF5 file a line");
}

ArrayTable::~ArrayTable() = default;

void ArrayTable::add(const std::string& path, const std::vector<std::string>& arrays) {
  Arrays file;
  for (size_t i = 0; i < arrays.size(); ++i) {
    file.push_back(std::make_unique<Hdf5Rows>(path, arrays[i]));
    const Shape& shape = file.back()->shape();
    require(shape[0] == file[0]->shape()[0], path, ": array ", arrays[i], " has ", shape[0],
            " rows, but ", arrays[0], " has ", file[0]->shape()[0]);
    const Shape row = row_shape_of(shape);
    if (files_.empty()) row_shapes_.push_back(row);
    require(row == row_shapes_[i], path, ": a row of the array ", arrays[i], " is ", row.str(),
            ", but in the first file ", row_shapes_[i].str());
  }
  starts_.push_back(rows() + file[0]->shape()[0]);
  files_.push_back(std::move(file));
}

void ArrayTable::read(size_t array, int64_t row, float* to) const {
  const auto behind = std::upper_bound(starts_.begin(), starts_.end(), row);
  const auto file = static_cast<size_t>(behind - starts_.begin() - 1);
  files_[file][array]->read(row - starts_[file], 1, to);
}

}  // namespace orepa
