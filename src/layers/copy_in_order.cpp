#include "layers/copy_in_order.h"

#include "layers/arrangement.h"

namespace orepa {
namespace {

// Number i of `to`, as stored.
struct Copy {
  LogicalOrder from_order, to_order;
  Numbers from, to;
  OREPA_HD void operator()(int64_t i) const {
    to.set(i, from[from_order.stored(to_order.logical(i))]);
  }
};

}  // namespace

void copy_in_order(Device& device, const Tensor& from, const Tensor& to) {
  if (from.data == to.data) return;
  const LogicalOrder from_order(from.shape), to_order(to.shape);
  if (from_order == to_order) return device.copy(to.data, from.data, from.bytes());
  if (!from_order.is_row_major() && !to_order.is_row_major())
    return parallel_for(device, to.count(), Copy{from_order, to_order, from, to});
  // Images, the source, and rows, the target.
  const bool to_rows = to_order.is_row_major();
  const auto [channels, plane] = to_rows ? from_order : to_order;
  const int64_t image = channels * plane;
  const Arrangement images(
      {{from.count() / image, image, image}, {plane, channels, 1}, {channels, 1, plane}});
  if (to_rows)
    images.gather(device, from, to);
  else
    images.scatter(device, from, to);
}

}  // namespace orepa
