// What WindowData does with a window: it is cut out of its image with some of its surroundings and
// resized to a square, as R-CNN has it. Rounding is Caffe's throughout.
#include <algorithm>
#include <cmath>

#include "data/transforms/transform.h"
#include "orepa/error.h"

namespace orepa {
namespace {

int64_t rounded(float value) { return static_cast<int64_t>(std::round(value)); }

// One axis of a window: what of the image is seen, how many pixels it becomes, and how many of
// padding stand before and behind it.
struct Range {
  int64_t first, count;
  int64_t size, before = 0, behind = 0;
};

class WindowCrop : public Transform {
 public:
  WindowCrop(int64_t size, int64_t context, bool square, bool mirror)
      : size_(size), context_(context), square_(square), mirror_(mirror) {}

  void plan(Plan& plan, const Random& random) const override {
    const Box& window = plan.sample;
    const Extent image = plan.view.window.extent();
    const int64_t longer = std::max(window.height, window.width);
    const Range rows =
        range(window.top, window.height, square_ ? longer : window.height, image.height);
    const Range columns =
        range(window.left, window.width, square_ ? longer : window.width, image.width);
    View& view = plan.view;
    view.flip = mirror_ && random.uniform(0) < 0.5f;
    // Padding is flipped, too.
    const int64_t above = rows.before, left = view.flip ? columns.behind : columns.before;
    view.region = {rows.first, columns.first, rows.count, columns.count};
    view.size = {std::min(rows.size, size_ - above), std::min(columns.size, size_ - left)};
    require(view.size.height > 0 && view.size.width > 0, "a window of ", window.height, " x ",
            window.width, " at (", window.top, ", ", window.left,
            ") leaves nothing of an image of ", image.height, " x ", image.width);
    const int64_t right = size_ - left - view.size.width;
    view.window = {-above, -(view.flip ? right : left), size_, size_};
    view.filter = Filter::kBilinear;
  }
  bool resizes() const override { return true; }

 private:
  // Of a window that begins at `first` and of whose surroundings `length` pixels count, in an image
  // of `end`.
  Range range(int64_t first, int64_t count, int64_t length, int64_t end) const {
    if (context_ == 0 && !square_) {
      require(first >= 0 && first + count <= end, "a window from ", first, " to ",
              first + count - 1, " hangs over an image of ", end, " pixels");
      return {first, count, size_};
    }
    // So large that `context_` pixels of the result are context on each side.
    const float scale = static_cast<float>(size_) / static_cast<float>(size_ - 2 * context_);
    const float centre = static_cast<float>(first) + static_cast<float>(count) / 2;
    const float half = static_cast<float>(length) / 2 * scale;
    const int64_t begin = rounded(centre - half), last = rounded(centre + half);
    const int64_t before = std::max<int64_t>(0, -begin),
                  behind = std::max<int64_t>(0, last - end + 1);
    const int64_t whole = last - begin + 1, seen = whole - before - behind;
    require(seen > 0, "a window around ", centre, " lies outside of an image of ", end, " pixels");
    const float resized = static_cast<float>(size_) / static_cast<float>(whole);
    const auto pixels = [&](int64_t n) { return rounded(static_cast<float>(n) * resized); };
    return {begin + before, seen, pixels(seen), pixels(before), pixels(behind)};
  }

  int64_t size_, context_;
  bool square_, mirror_;
};

}  // namespace

std::unique_ptr<Transform> make_window_crop(int64_t size, int64_t context, bool square,
                                            bool mirror) {
  return std::make_unique<WindowCrop>(size, context, square, mirror);
}

}  // namespace orepa
