#include "data/hdf5_row_writer.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "core/atomic_file.h"
#include "core/hdf5_object.h"
#include "orepa/error.h"

namespace orepa {

using namespace hdf5;

namespace {

std::string file_path(const std::string& path) {
  const Destination destination = destination_of(path);
  require(!destination.stream, path, ": is no file; HDF5 files cannot be written into it");
  return destination.path;
}

void require_room(const std::string& path, int64_t bytes) {
  std::error_code unknown;
  const auto room = std::filesystem::space(folder_of(path), unknown);
  require(unknown || static_cast<uintmax_t>(bytes) < room.available, path, ": wants ", bytes,
          " bytes, but its disk has room for ", room.available);
}

}  // namespace

Hdf5RowWriter::Hdf5RowWriter(const std::string& path, const std::map<std::string, Shape>& arrays)
    : path_(file_path(path)), temporary_(temporary_name(path_)) {
  constexpr int64_t kHeaders = int64_t{1} << 20;
  int64_t bytes = kHeaders;
  for (const auto& [name, shape] : arrays) bytes += shape.count() * int64_t{sizeof(float)};
  require_room(path_, bytes);
  const auto held = hold();
  silence();
  file_ = H5Fcreate(temporary_.path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  require(file_ >= 0, path, ": cannot be written");
  try {
    for (const auto& [name, shape] : arrays) {
      arrays_[name].shape = shape;
      create(name, arrays_[name]);
    }
  } catch (const Error&) {
    close();
    throw;
  }
}

Hdf5RowWriter::~Hdf5RowWriter() { close(); }

void Hdf5RowWriter::create(const std::string& name, Array& array) {
  const std::vector<hsize_t> extents(array.shape.extents().begin(), array.shape.extents().end());
  std::vector<hsize_t> most = extents;
  if (array.grows()) most[0] = H5S_UNLIMITED;
  const Object space(H5Screate_simple(array.shape.rank(), extents.data(), most.data()), H5Sclose);
  const Object links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(links, 1);
  const Object properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(properties, false);  // the same content, the same bytes
  if (array.grows()) {
    constexpr hsize_t kChunk = 16384;  // numbers
    std::vector<hsize_t> chunk = extents;
    const auto row = static_cast<hsize_t>(array.shape.count(1, array.shape.rank()));
    chunk[0] = std::max<hsize_t>(1, kChunk / row);
    H5Pset_chunk(properties, array.shape.rank(), chunk.data());
  }
  array.id = H5Dcreate2(file_, absolute(name).c_str(), H5T_IEEE_F32LE, space, links, properties,
                        H5P_DEFAULT);
  require(array.id >= 0, path_, ": array ", name, " cannot be made; is it the group of another?");
}

void Hdf5RowWriter::add(const std::string& name, const std::vector<float>& rows) {
  Array& array = arrays_.at(name);
  const int64_t row = array.shape.count(1, array.shape.rank());
  const int64_t count = static_cast<int64_t>(rows.size()) / row;
  const bool fits = array.grows() || array.rows + count <= array.shape[0];
  require(count * row == static_cast<int64_t>(rows.size()) && fits, path_, ": array ", name, " of ",
          array.shape.str(), " was given ", rows.size(), " numbers behind ", array.rows, " rows");
  const auto held = hold();
  const std::vector<int64_t>& extents = array.shape.extents();
  std::vector<hsize_t> start(extents.size(), 0), size(extents.begin(), extents.end());
  start[0] = static_cast<hsize_t>(array.rows);
  size[0] = static_cast<hsize_t>(count);
  if (array.grows()) {
    std::vector<hsize_t> all = size;
    all[0] = start[0] + size[0];
    require(H5Dset_extent(array.id, all.data()) >= 0, path_, ": array ", name, " cannot grow");
  }
  const Object space(H5Dget_space(array.id), H5Sclose);
  const Object memory(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr),
                      H5Sclose);
  const bool written =
      H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr) >=
          0 &&
      H5Dwrite(array.id, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, rows.data()) >= 0;
  require(written, path_, ": array ", name, " cannot be written; is the disk full?");
  array.rows += count;
}

void Hdf5RowWriter::finish() {
  for (const auto& [name, array] : arrays_)
    require(array.grows() || array.rows == array.shape[0], path_, ": array ", name, " of ",
            array.shape.str(), " got only ", array.rows, " rows");
  require(close(), path_, ": cannot be written; is the disk full?");
  flush_to_disk(temporary_.path());
  std::error_code failure;
  std::filesystem::rename(temporary_.path(), path_, failure);
  require(!failure, path_, ": cannot be written: ", failure.message());
  flush_to_disk(folder_of(path_));
}

bool Hdf5RowWriter::close() {
  const auto held = hold();
  bool whole = true;
  for (auto& [name, array] : arrays_)
    if (array.id >= 0) whole = H5Dclose(std::exchange(array.id, -1)) >= 0 && whole;
  if (file_ >= 0) whole = H5Fclose(std::exchange(file_, -1)) >= 0 && whole;
  return whole;
}

}  // namespace orepa
