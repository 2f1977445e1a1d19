#include "orepa/tensor_file.h"

#include <hdf5.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <utility>

#include "core/input_file.h"
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
// Other links than hard ones may lead into other files, and are taken for absent.
bool exists(hid_t file, const std::string& name) {
  for (size_t end = name.find('/', 1);; end = name.find('/', end + 1)) {
    const std::string part = name.substr(0, end);
    H5L_info_t link{};
    if (part.size() > 1 &&
        (H5Lexists(file, part.c_str(), H5P_DEFAULT) <= 0 ||
         H5Lget_info(file, part.c_str(), &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD))
      return false;
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

// Of a number as stored; HDF5 knows types of any size.
constexpr size_t kMostBytesOfNumber = 16;
// Of a text that an attribute holds; what HDF5 itself keeps beside an object.
constexpr size_t kMostBytesOfText = size_t{1} << 16;
// Deflate, the densest filter of weights, makes at most so many bytes of one (zlib's technical
// notes).
constexpr int64_t kMostPerByte = 1032;
constexpr int64_t kMostBytes = int64_t{1} << 44;  // so that sums of a few do not overflow

// Throws Error unless the type is that of numbers.
void require_numbers(hid_t type, const std::string& where) {
  const H5T_class_t kind = H5Tget_class(type);
  require((kind == H5T_FLOAT || kind == H5T_INTEGER) && H5Tget_size(type) <= kMostBytesOfNumber,
          where, " holds no numbers");
}

// What an array says of itself: bytes that the file has to hold, as they are or compressed.
struct Claim {
  int64_t bytes = 0;
  bool compressed = false;
};

Claim claim_of(hid_t array, const Shape& shape, const std::string& where) {
  const Object type(H5Dget_type(array), H5Tclose);
  const Object properties(H5Dget_create_plist(array), H5Pclose);
  const H5D_layout_t layout = H5Pget_layout(properties);
  require(layout == H5D_COMPACT || layout == H5D_CONTIGUOUS || layout == H5D_CHUNKED, where,
          " lies in other files, which are not read");
  require(H5Pget_external_count(properties) == 0, where,
          " lies in other files, which are not read");
  const auto each = static_cast<int64_t>(std::max<size_t>(1, H5Tget_size(type)));
  std::vector<int64_t> extents = shape.extents();
  const bool empty = std::erase(extents, 0) > 0;
  require(Shape(std::move(extents)).fits(kMostBytes / each), where, " claims to hold ", shape.str(),
          " numbers");
  if (empty) return {};
  Claim claim{shape.count() * each, H5Pget_nfilters(properties) > 0};
  if (layout != H5D_CHUNKED) return claim;
  std::vector<hsize_t> sizes(static_cast<size_t>(shape.rank()));
  H5Pget_chunk(properties, shape.rank(), sizes.data());
  const Shape chunk(std::vector<int64_t>(sizes.begin(), sizes.end()));  // read as a whole
  require(chunk.fits(kMostBytes / each), where, " claims chunks of ", chunk.str(), " numbers");
  claim.bytes = std::max(claim.bytes, chunk.count() * each);
  return claim;
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

TensorFileReader::~TensorFileReader() { H5Fclose(file_); }

bool TensorFileReader::has(const std::string& name) const { return exists(file_, absolute(name)); }

std::vector<std::string> TensorFileReader::names(const std::string& group) const {
  std::vector<std::string> names;
  require(!has(group) || collect(file_, absolute(group), names), path_, ": the groups in ", group,
          " cannot be read, or lie too deep");
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
  const Object type(H5Dget_type(array), H5Tclose);
  require_numbers(type, text(path_, ": array ", full));
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
              H5Tget_size(type) <= kMostBytesOfText && shape_of(array, path_, full).count() == 1,
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
  const Object type(found.valid() ? H5Aget_type(found) : -1, H5Tclose);
  require_numbers(type, text(path_, ": attribute ", attribute, " of ", name));
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
  require(H5Tget_size(type) <= kMostBytesOfText, path_, ": attribute ", attribute, " of ", name,
          " is a text of ", H5Tget_size(type), " bytes");
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
