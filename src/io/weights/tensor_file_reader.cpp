#include <algorithm>
#include <cstring>
#include <filesystem>

#include "core/hdf5_claim.h"
#include "core/hdf5_object.h"
#include "core/input_file.h"
#include "orepa/error.h"
#include "orepa/tensor_file.h"

namespace orepa {
namespace {

using namespace hdf5;

// Of a number as stored; HDF5 knows types of any size.
constexpr size_t kMostBytesOfNumber = 16;
// Of a text that an attribute holds; what HDF5 itself keeps beside an object.
constexpr size_t kMostBytesOfText = size_t{1} << 16;

// Throws Error unless the type is that of numbers.
void require_numbers(hid_t type, const std::string& where) {
  const H5T_class_t kind = H5Tget_class(type);
  require((kind == H5T_FLOAT || kind == H5T_INTEGER) && H5Tget_size(type) <= kMostBytesOfNumber,
          where, " holds no numbers");
}

bool collect(hid_t file, const std::string& group, std::vector<std::string>& names) {
  struct Visit {
    std::string prefix;
    std::vector<std::string>* names;
    // Stops where groups lie deeper than any name: HDF5 recurs.
    static herr_t add(hid_t, const char* name, const H5O_info_t* info, void* self) {
      constexpr int kDeepest = 64;
      if (info->type == H5O_TYPE_DATASET) {
        const Visit& visit = *static_cast<Visit*>(self);
        visit.names->push_back(visit.prefix + name);
      }
      return std::count(name, name + std::strlen(name), '/') > kDeepest ? -1 : 0;
    }
  };
  const Object start(H5Oopen(file, group.c_str(), H5P_DEFAULT), H5Oclose);
  Visit visit{group == "/" ? group : group + "/", &names};
  return !start.valid() || H5Iget_type(start) != H5I_GROUP ||
         H5Ovisit2(start, H5_INDEX_NAME, H5_ITER_INC, Visit::add, &visit, H5O_INFO_BASIC) >= 0;
}

}  // namespace

TensorFileReader::TensorFileReader(const std::string& path) : path_(path) {
  const auto held = hold();
  silence();
  require_regular_file(path);
  file_ = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  require(file_ >= 0, path, ": is no readable HDF5 file");
  try {
    require_claims_that_fit();
  } catch (...) {
    H5Fclose(file_);
    throw;
  }
}

// Of all arrays together: a damaged file must not ask for all the memory.
void TensorFileReader::require_claims_that_fit() const {
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path_));
  int64_t plain = 0, compressed = 0;
  for (const std::string& name : names("/")) {
    const Object array = open_array(file_, path_, name);
    const std::string where = text(path_, ": array ", name);
    const Claim claim = claim_of(array, shape_of(array, path_, name), where);
    (claim.compressed ? compressed : plain) += claim.bytes;
    require(plain <= size && compressed <= kMostPerByte * size, where,
            " and those before it claim more than a file of ", size, " bytes can hold");
  }
}

TensorFileReader::~TensorFileReader() {
  const auto held = hold();
  H5Fclose(file_);
}

bool TensorFileReader::has(const std::string& name) const {
  const auto held = hold();
  return exists(file_, absolute(name));
}

std::vector<std::string> TensorFileReader::names(const std::string& group) const {
  const auto held = hold();
  std::vector<std::string> names;
  require(!has(group) || collect(file_, absolute(group), names), path_, ": the groups in ", group,
          " cannot be read, or lie too deep");
  return names;
}

Shape TensorFileReader::shape(const std::string& name) const {
  const auto held = hold();
  const std::string full = absolute(name);
  return shape_of(open_array(file_, path_, full), path_, full);
}

template <class Number>
std::vector<Number> TensorFileReader::read_as(int64_t memory_type, const std::string& name) const {
  const auto held = hold();
  const std::string full = absolute(name);
  const Object array = open_array(file_, path_, full);
  const Shape shape = shape_of(array, path_, full);
  const Object type(H5Dget_type(array), H5Tclose);
  require_numbers(type, text(path_, ": array ", full));
  std::vector<Number> values(static_cast<size_t>(shape.count()));
  require(H5Dread(array, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0, path_,
          ": array ", full, " cannot be read; the file is damaged or cut short");
  return values;
}

std::vector<float> TensorFileReader::read(const std::string& name) const {
  return read_as<float>(H5T_NATIVE_FLOAT, name);
}

std::vector<double> TensorFileReader::read_doubles(const std::string& name) const {
  return read_as<double>(H5T_NATIVE_DOUBLE, name);
}

int64_t TensorFileReader::read_integer(const std::string& name) const {
  const auto held = hold();
  const std::string full = absolute(name);
  const Object array = open_array(file_, path_, full);
  const Object type(H5Dget_type(array), H5Tclose);
  int64_t value = 0;
  require(shape_of(array, path_, full).count() == 1 && H5Tget_class(type) == H5T_INTEGER &&
              H5Dread(array, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value) >= 0,
          path_, ": array ", full, " is no integer");
  return value;
}

std::string TensorFileReader::read_text(const std::string& name) const {
  const auto held = hold();
  const std::string full = absolute(name);
  const Object array = open_array(file_, path_, full);
  const Object type(H5Dget_type(array), H5Tclose);
  require(H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
              H5Tget_size(type) <= kMostBytesOfText && shape_of(array, path_, full).count() == 1,
          path_, ": array ", full, " is no text of a fixed length");
  std::string value(H5Tget_size(type), '\0');
  require(H5Dread(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value.data()) >= 0, path_, ": array ",
          full, " cannot be read; the file is damaged or cut short");
  return value.substr(0, value.find('\0'));
}

bool TensorFileReader::has_attribute(const std::string& name, const std::string& attribute) const {
  const auto held = hold();
  const std::string full = absolute(name);
  return H5Aexists(open_object(file_, path_, full), attribute.c_str()) > 0;
}

double TensorFileReader::number(const std::string& name, const std::string& attribute) const {
  const auto held = hold();
  const Object object = open_object(file_, path_, absolute(name));
  const Object found(H5Aopen(object, attribute.c_str(), H5P_DEFAULT), H5Aclose);
  const Object space(found.valid() ? H5Aget_space(found) : -1, H5Sclose);
  const Object type(found.valid() ? H5Aget_type(found) : -1, H5Tclose);
  require_numbers(type, text(path_, ": attribute ", attribute, " of ", name));
  double value = 0;
  require(space.valid() && H5Sget_simple_extent_npoints(space) == 1 &&
              H5Aread(found, H5T_NATIVE_DOUBLE, &value) >= 0,
          path_, ": ", name, " has no attribute ", attribute, " that is one number");
  return value;
}

std::string TensorFileReader::string(const std::string& name, const std::string& attribute) const {
  const auto held = hold();
  const Object object = open_object(file_, path_, absolute(name));
  const Object found(H5Aopen(object, attribute.c_str(), H5P_DEFAULT), H5Aclose);
  const Object type(found.valid() ? H5Aget_type(found) : -1, H5Tclose);
  const Object space(found.valid() ? H5Aget_space(found) : -1, H5Sclose);
  require(
      type.valid() && H5Tget_class(type) == H5T_STRING && H5Sget_simple_extent_npoints(space) == 1,
      path_, ": ", name, " has no attribute ", attribute, " that is a text");
  const Object memory(H5Tcopy(type), H5Tclose);
  if (H5Tis_variable_str(type) > 0) {
    char* content = nullptr;
    require(H5Aread(found, memory, &content) >= 0 && content != nullptr, path_, ": attribute ",
            attribute, " of ", name, " cannot be read");
    const std::string value = content;
    H5free_memory(content);
    return value;
  }
  require(H5Tget_size(type) <= kMostBytesOfText, path_, ": attribute ", attribute, " of ", name,
          " is a text of ", H5Tget_size(type), " bytes");
  std::string value(H5Tget_size(type), '\0');
  require(H5Aread(found, memory, value.data()) >= 0, path_, ": attribute ", attribute, " of ", name,
          " cannot be read");
  return value.substr(0, value.find('\0'));
}

}  // namespace orepa
