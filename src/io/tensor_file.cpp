#include "orepa/tensor_file.h"

#include <hdf5.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <mutex>
#include <utility>

#include "io/atomic_file.h"
#include "orepa/error.h"

namespace orepa {
namespace {

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

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

void silence() {
  static std::once_flag once;
  std::call_once(once, [] { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); });
}

std::string absolute(const std::string& name) {
  return name.empty() || name[0] != '/' ? "/" + name : name;
}

// Every group on the way has to be asked for: H5Lexists fails on a path whose start is not there.
bool exists(hid_t file, const std::string& name) {
  for (size_t end = name.find('/', 1);; end = name.find('/', end + 1)) {
    const std::string part = name.substr(0, end);
    if (part.size() > 1 && H5Lexists(file, part.c_str(), H5P_DEFAULT) <= 0) return false;
    if (end == std::string::npos) return true;
  }
}

Object open_array(hid_t file, const std::string& path, const std::string& name) {
  Object array(exists(file, name) ? H5Dopen2(file, name.c_str(), H5P_DEFAULT) : -1, H5Dclose);
  require(array.valid(), path, ": has no array ", name);
  return array;
}

Object open_object(hid_t file, const std::string& path, const std::string& name) {
  Object object(exists(file, name) ? H5Oopen(file, name.c_str(), H5P_DEFAULT) : -1, H5Oclose);
  require(object.valid(), path, ": has neither an array nor a group ", name);
  return object;
}

Shape shape_of(hid_t array, const std::string& path, const std::string& name) {
  const Object space(H5Dget_space(array), H5Sclose);
  const int rank = space.valid() ? H5Sget_simple_extent_ndims(space) : -1;
  require(rank >= 0, path, ": array ", name, " has no readable shape");
  std::vector<hsize_t> extents(static_cast<size_t>(rank));
  H5Sget_simple_extent_dims(space, extents.data(), nullptr);
  return Shape(std::vector<int64_t>(extents.begin(), extents.end()));
}

// Whether the file can hold that many numbers: a damaged shape must not ask for all the memory.
// Deflate, the densest filter, makes at most 1032 bytes of one (zlib's technical notes).
bool is_sound(const Shape& shape, int64_t file_bytes) {
  constexpr int64_t kMostPerByte = 1032;
  const int64_t most = file_bytes > std::numeric_limits<int64_t>::max() / kMostPerByte
                           ? std::numeric_limits<int64_t>::max()
                           : file_bytes * kMostPerByte;
  const std::vector<int64_t>& extents = shape.extents();
  return std::find(extents.begin(), extents.end(), 0) != extents.end() || shape.fits(most);
}

void collect(hid_t file, const std::string& group, std::vector<std::string>& names) {
  struct Visit {
    std::string prefix;
    std::vector<std::string>* names;
    static herr_t add(hid_t, const char* name, const H5O_info_t* info, void* self) {
      if (info->type == H5O_TYPE_DATASET) {
        const Visit& visit = *static_cast<Visit*>(self);
        visit.names->push_back(visit.prefix + name);
      }
      return 0;
    }
  };
  const Object start(H5Oopen(file, group.c_str(), H5P_DEFAULT), H5Oclose);
  Visit visit{group == "/" ? group : group + "/", &names};
  if (start.valid() && H5Iget_type(start) == H5I_GROUP)
    H5Ovisit2(start, H5_INDEX_NAME, H5_ITER_INC, Visit::add, &visit, H5O_INFO_BASIC);
}

}  // namespace

TensorFileReader::TensorFileReader(const std::string& path) : path_(path) {
  silence();
  std::error_code reason;
  file_bytes_ = static_cast<int64_t>(std::filesystem::file_size(path, reason));
  require(!reason, path, ": cannot be read: ", reason.message());
  file_ = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  require(file_ >= 0, path, ": is no readable HDF5 file");
}

TensorFileReader::~TensorFileReader() { H5Fclose(file_); }

bool TensorFileReader::has(const std::string& name) const { return exists(file_, absolute(name)); }

std::vector<std::string> TensorFileReader::names(const std::string& group) const {
  std::vector<std::string> names;
  if (has(group)) collect(file_, absolute(group), names);
  return names;
}

Shape TensorFileReader::shape(const std::string& name) const {
  const std::string full = absolute(name);
  return shape_of(open_array(file_, path_, full), path_, full);
}

std::vector<float> TensorFileReader::read(const std::string& name) const {
  const std::string full = absolute(name);
  const Object array = open_array(file_, path_, full);
  const Shape shape = shape_of(array, path_, full);
  require(is_sound(shape, file_bytes_), path_, ": array ", full, " claims to hold ", shape.str(),
          " numbers, more than a file of ", file_bytes_, " bytes can hold");
  const Object type(H5Dget_type(array), H5Tclose);
  const H5T_class_t kind = H5Tget_class(type);
  require(kind == H5T_FLOAT || kind == H5T_INTEGER, path_, ": array ", full, " holds no numbers");
  std::vector<float> values(static_cast<size_t>(shape.count()));
  require(H5Dread(array, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0,
          path_, ": array ", full, " cannot be read; the file is damaged or cut short");
  return values;
}

int64_t TensorFileReader::read_integer(const std::string& name) const {
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
  const std::string full = absolute(name);
  const Object array = open_array(file_, path_, full);
  const Object type(H5Dget_type(array), H5Tclose);
  require(H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
              static_cast<int64_t>(H5Tget_size(type)) <= file_bytes_ &&
              shape_of(array, path_, full).count() == 1,
          path_, ": array ", full, " is no text of a fixed length");
  std::string value(H5Tget_size(type), '\0');
  require(H5Dread(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value.data()) >= 0, path_, ": array ",
          full, " cannot be read; the file is damaged or cut short");
  return value.substr(0, value.find('\0'));
}

bool TensorFileReader::has_attribute(const std::string& name, const std::string& attribute) const {
  const std::string full = absolute(name);
  return H5Aexists(open_object(file_, path_, full), attribute.c_str()) > 0;
}

double TensorFileReader::number(const std::string& name, const std::string& attribute) const {
  const Object object = open_object(file_, path_, absolute(name));
  const Object found(H5Aopen(object, attribute.c_str(), H5P_DEFAULT), H5Aclose);
  const Object space(found.valid() ? H5Aget_space(found) : -1, H5Sclose);
  double value = 0;
  require(space.valid() && H5Sget_simple_extent_npoints(space) == 1 &&
              H5Aread(found, H5T_NATIVE_DOUBLE, &value) >= 0,
          path_, ": ", name, " has no attribute ", attribute, " that is one number");
  return value;
}

std::string TensorFileReader::string(const std::string& name, const std::string& attribute) const {
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
  std::string value(H5Tget_size(type), '\0');
  require(H5Aread(found, memory, value.data()) >= 0, path_, ": attribute ", attribute, " of ", name,
          " cannot be read");
  return value.substr(0, value.find('\0'));
}

TensorFileWriter::TensorFileWriter() {
  silence();
  const Object access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  constexpr size_t kStep = size_t{1} << 20;  // by which the image grows
  H5Pset_fapl_core(access, kStep, /*backing_store=*/false);
  // HDF5 knows open files by their names, also those in memory.
  file_ = H5Fcreate(text("in memory at ", this).c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  require(file_ >= 0, "HDF5 could not make a file in memory");
}

TensorFileWriter::~TensorFileWriter() { H5Fclose(file_); }

void TensorFileWriter::write(const std::string& name, const Shape& shape,
                             const std::vector<float>& values) {
  require(static_cast<int64_t>(values.size()) == shape.count(), "array ", name, " of ", shape.str(),
          " was given ", values.size(), " numbers");
  write_array(name, shape, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, values.data());
}

void TensorFileWriter::write_integer(const std::string& name, int64_t value, const Shape& shape) {
  write_array(name, shape, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

void TensorFileWriter::write_text(const std::string& name, const std::string& value) {
  const Object type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, value.size() + 1);  // with the zero at its end
  write_array(name, {}, type, type, value.c_str());
}

void TensorFileWriter::write_array(const std::string& name, const Shape& shape, int64_t stored_type,
                                   int64_t memory_type, const void* values) {
  const std::string full = absolute(name);
  const std::vector<hsize_t> extents(shape.extents().begin(), shape.extents().end());
  const Object space(shape.rank() == 0 ? H5Screate(H5S_SCALAR)
                                       : H5Screate_simple(shape.rank(), extents.data(), nullptr),
                     H5Sclose);
  const Object links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(links, 1);
  const Object properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(properties, false);  // the same content, the same bytes
  const Object array(
      H5Dcreate2(file_, full.c_str(), stored_type, space, links, properties, H5P_DEFAULT),
      H5Dclose);
  require(array.valid(), "array ", full, " cannot be made; is the name taken?");
  require(H5Dwrite(array, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0, "array ", full,
          " cannot be written: out of memory?");
}

void TensorFileWriter::set_attribute(const std::string& name, const std::string& attribute,
                                     int64_t value) {
  const Object object = open_object(file_, "HDF5 file in memory", absolute(name));
  const Object space(H5Screate(H5S_SCALAR), H5Sclose);
  const Object made(
      H5Acreate2(object, attribute.c_str(), H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT),
      H5Aclose);
  require(made.valid() && H5Awrite(made, H5T_NATIVE_INT64, &value) >= 0, "attribute ", attribute,
          " of ", name, " cannot be made; is the name taken?");
}

std::string TensorFileWriter::bytes() const {
  H5Fflush(file_, H5F_SCOPE_GLOBAL);
  const ssize_t bytes = H5Fget_file_image(file_, nullptr, 0);
  require(bytes > 0, "HDF5 could not make a file in memory");
  std::string image(static_cast<size_t>(bytes), '\0');
  require(H5Fget_file_image(file_, image.data(), image.size()) == bytes,
          "HDF5 could not make a file in memory");
  return image;
}

void TensorFileWriter::save(const std::string& path) const { write_atomically(path, bytes()); }

}  // namespace orepa
