#include "core/atomic_file.h"
#include "core/hdf5_object.h"
#include "orepa/error.h"
#include "orepa/tensor_file.h"

namespace orepa {
namespace {

using namespace hdf5;

}  // namespace

TensorFileWriter::TensorFileWriter() {
  const auto held = hold();
  silence();
  const Object access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  constexpr size_t kStep = size_t{1} << 20;  // by which the image grows
  H5Pset_fapl_core(access, kStep, /*backing_store=*/false);
  // HDF5 knows open files by their names, also those in memory.
  file_ = H5Fcreate(text("in memory at ", this).c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  require(file_ >= 0, "HDF5 could not make a file in memory");
}

TensorFileWriter::~TensorFileWriter() {
  const auto held = hold();
  H5Fclose(file_);
}

void TensorFileWriter::write(const std::string& name, const Shape& shape,
                             const std::vector<float>& values) {
  const auto held = hold();
  require(static_cast<int64_t>(values.size()) == shape.count(), "array ", name, " of ", shape.str(),
          " was given ", values.size(), " numbers");
  write_array(name, shape, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, values.data());
}

void TensorFileWriter::write_doubles(const std::string& name, const std::vector<double>& values) {
  write_array(name, {static_cast<int64_t>(values.size())}, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE,
              values.data());
}

void TensorFileWriter::write_integer(const std::string& name, int64_t value, const Shape& shape) {
  write_array(name, shape, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

void TensorFileWriter::write_text(const std::string& name, const std::string& value) {
  const auto held = hold();
  const Object type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, value.size() + 1);  // with the zero at its end
  write_array(name, {}, type, type, value.c_str());
}

void TensorFileWriter::write_array(const std::string& name, const Shape& shape, int64_t stored_type,
                                   int64_t memory_type, const void* values) {
  const auto held = hold();
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
  const auto held = hold();
  const Object object = open_object(file_, "HDF5 file in memory", absolute(name));
  const Object space(H5Screate(H5S_SCALAR), H5Sclose);
  const Object made(
      H5Acreate2(object, attribute.c_str(), H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT),
      H5Aclose);
  require(made.valid() && H5Awrite(made, H5T_NATIVE_INT64, &value) >= 0, "attribute ", attribute,
          " of ", name, " cannot be made; is the name taken?");
}

std::string TensorFileWriter::bytes() const {
  const auto held = hold();
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
