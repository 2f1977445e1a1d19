#include "data/hdf5_rows.h"

#include <filesystem>

#include "core/hdf5_claim.h"
#include "core/hdf5_object.h"
#include "core/input_file.h"
#include "orepa/error.h"

namespace orepa {

using namespace hdf5;

Hdf5Rows::Hdf5Rows(const std::string& path, const std::string& name)
    : where_(text(path, ": array ", name)) {
  const auto held = hold();
  silence();
  require_regular_file(path);
  Object file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  require(file.valid(), path, ": is no readable HDF5 file");
  Object array = open_array(file, path, absolute(name));
  shape_ = shape_of(array, path, name);
  const Object type(H5Dget_type(array), H5Tclose);
  const H5T_class_t kind = H5Tget_class(type);
  require(kind == H5T_INTEGER || kind == H5T_FLOAT, where_, " holds no numbers");
  const Claim claim = claim_of(array, shape_, where_);
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path));
  require(claim.bytes <= (claim.compressed ? kMostPerByte : 1) * size, where_,
          " claims more than a file of ", size, " bytes can hold");
  require(shape_.rank() > 0 && shape_.count() > 0, where_, " is ", shape_.str(),
          ", expected at least one row");
  file_ = file.release();
  array_ = array.release();
}

Hdf5Rows::~Hdf5Rows() {
  const auto held = hold();
  H5Dclose(array_);
  H5Fclose(file_);
}

bool Hdf5Rows::holds_integers() const {
  const auto held = hold();
  const Object type(H5Dget_type(array_), H5Tclose);
  return H5Tget_class(type) == H5T_INTEGER;
}

bool Hdf5Rows::holds_bytes() const {
  const auto held = hold();
  const Object type(H5Dget_type(array_), H5Tclose);
  return H5Tequal(type, H5T_STD_U8LE) > 0 || H5Tequal(type, H5T_STD_U8BE) > 0;
}

void Hdf5Rows::read(int64_t first, int64_t count, unsigned char* to) const {
  read_as(H5T_NATIVE_UINT8, first, count, to);
}

void Hdf5Rows::read(int64_t first, int64_t count, int64_t* to) const {
  read_as(H5T_NATIVE_INT64, first, count, to);
}

void Hdf5Rows::read(int64_t first, int64_t count, float* to) const {
  read_as(H5T_NATIVE_FLOAT, first, count, to);
}

void Hdf5Rows::read_as(int64_t type, int64_t first, int64_t count, void* to) const {
  const auto held = hold();
  const auto rank = static_cast<size_t>(shape_.rank());
  std::vector<hsize_t> start(rank, 0), extents(shape_.extents().begin(), shape_.extents().end());
  start[0] = static_cast<hsize_t>(first);
  extents[0] = static_cast<hsize_t>(count);
  const Object from(H5Dget_space(array_), H5Sclose);
  const Object into(H5Screate_simple(shape_.rank(), extents.data(), nullptr), H5Sclose);
  require(H5Sselect_hyperslab(from, H5S_SELECT_SET, start.data(), nullptr, extents.data(),
                              nullptr) >= 0 &&
              H5Dread(array_, type, into, from, H5P_DEFAULT, to) >= 0,
          where_, ": rows ", first, " to ", first + count - 1,
          " cannot be read; the file is damaged or cut short");
}

}  // namespace orepa
