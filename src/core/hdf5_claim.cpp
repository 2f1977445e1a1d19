#include "core/hdf5_claim.h"

#include <algorithm>
#include <vector>

#include "core/hdf5_object.h"
#include "orepa/error.h"

namespace orepa::hdf5 {
namespace {

constexpr int64_t kMostBytes = int64_t{1} << 44;  // so that sums of a few do not overflow

}  // namespace

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

}  // namespace orepa::hdf5
