#include "core/hdf5_object.h"

#include <vector>

#include "orepa/error.h"

namespace orepa::hdf5 {

std::unique_lock<std::recursive_mutex> hold() {
  static std::recursive_mutex mutex;
  // What HDF5 would do at the end of the process, close what is open, we do; and where a file could
  // not be written, HDF5 1.10 crashes over it. It has to be told before anything else.
  static const herr_t told = H5dont_atexit();
  static_cast<void>(told);
  return std::unique_lock(mutex);
}

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

}  // namespace orepa::hdf5
