#include "data/png.h"

#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>

#include "data/luma.h"
#include "orepa/error.h"

namespace orepa {
namespace {

// A pass over a file, which libpng cannot begin again. libpng reports an error by a call that may
// not return, and must not throw either: C frames lie between. So it jumps back to `completes`.
class Pass {
 public:
  explicit Pass(std::span<const unsigned char> file) : rest_(file) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, give_up, ignore);
    info_ = png_ != nullptr ? png_create_info_struct(png_) : nullptr;
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      fail("libpng has no memory, or is not version " PNG_LIBPNG_VER_STRING);
    }
  }
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;
  ~Pass() { png_destroy_read_struct(&png_, &info_, nullptr); }

  void read_header() {
    complete([this] {
      png_set_read_fn(png_, this, read);
      // The image's size is limited by who reads it; text and profiles are not of interest.
      png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
      png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, kUnread, kUnreadCount);
      png_read_info(png_, info_);
    });
  }

  png_structp png() const { return png_; }
  png_infop info() const { return info_; }

  // Calls call(), from which nothing with a destructor may call libpng. Throws what it reports.
  template <class Call>
  void complete(const Call& call) {
    if (completes(call)) return;
    fail(cut_short_ ? "the PNG file is cut short" : text("the PNG file is damaged: ", message_));
  }

 private:
  static constexpr png_byte kUnread[] = "iCCP\0zTXt\0iTXt\0tEXt\0sPLT";
  static constexpr int kUnreadCount = sizeof(kUnread) / 5;

  template <class Call>
  bool completes(const Call& call) {
    if (setjmp(jump_) != 0) return false;
    call();
    return true;
  }

  [[noreturn]] static void give_up(png_structp png, png_const_charp message) {
    Pass& pass = *static_cast<Pass*>(png_get_error_ptr(png));
    std::strncpy(pass.message_, message, sizeof(pass.message_) - 1);
    std::longjmp(pass.jump_, 1);
  }
  // Of profiles, text and the like that are not quite as they should be.
  static void ignore(png_structp, png_const_charp) {}

  static void read(png_structp png, png_bytep to, png_size_t count) {
    Pass& pass = *static_cast<Pass*>(png_get_io_ptr(png));
    pass.cut_short_ = count > pass.rest_.size();
    if (pass.cut_short_) png_error(png, "");
    std::copy_n(pass.rest_.data(), count, to);
    pass.rest_ = pass.rest_.subspan(count);
  }

  std::span<const unsigned char> rest_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_;
  bool cut_short_ = false;
  char message_[128] = {};
};

void convert_to_gray(Image& image) {
  const unsigned char* from = image.pixels.data();
  unsigned char* to = image.pixels.data();
  const int64_t count = image.extent.height * image.extent.width;
  for (int64_t i = 0; i < count; ++i, from += 3) to[i] = luma(from[0], from[1], from[2]);
  image.resize(image.extent, 1);
}

}  // namespace

void PngReader::open(std::span<const unsigned char> file) {
  file_ = file;
  Pass pass(file);
  pass.read_header();
  extent_ = {png_get_image_height(pass.png(), pass.info()),
             png_get_image_width(pass.png(), pass.info())};
  require_decodable(extent_);
  gray_ = (png_get_color_type(pass.png(), pass.info()) & PNG_COLOR_MASK_COLOR) == 0;
  png_uint_32 exif_bytes = 0;
  png_bytep exif = nullptr;
  const bool has_exif = png_get_eXIf_1(pass.png(), pass.info(), &exif_bytes, &exif) != 0;
  orientation_ = has_exif ? exif_orientation({exif, exif_bytes}) : Orientation();
}

void PngReader::decode(int64_t top, int64_t height, ColorOrder order, Part& part) {
  Pass pass(file_);
  pass.read_header();
  const png_structp png = pass.png();
  const int kind = png_get_color_type(png, pass.info());
  const bool interlaced = png_get_interlace_type(png, pass.info()) != PNG_INTERLACE_NONE;
  // libpng has formulas of its own for grey of colours.
  const bool colored = (kind & PNG_COLOR_MASK_COLOR) != 0;
  pass.complete([&] {
    png_set_expand(png);
    png_set_strip_16(png);
    png_set_strip_alpha(png);
    if (!colored && order != ColorOrder::kGray) png_set_gray_to_rgb(png);
    if (order == ColorOrder::kBgr) png_set_bgr(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, pass.info());
  });
  // Of an interlaced image all has to be there; otherwise rows above are decoded to the first row.
  part.top = interlaced ? 0 : top;
  part.left = 0;
  part.image.resize({interlaced ? extent_.height : height, extent_.width},
                    png_get_channels(png, pass.info()));
  if (interlaced) {
    rows_.resize(static_cast<size_t>(extent_.height));
    for (int64_t y = 0; y < extent_.height; ++y)
      rows_[static_cast<size_t>(y)] = part.image.at(y, 0);
    pass.complete([&] { png_read_image(png, rows_.data()); });
  } else {
    pass.complete([&] {
      for (int64_t y = 0; y < top + height; ++y)
        png_read_row(png, part.image.at(std::max<int64_t>(y - top, 0), 0), nullptr);
    });
  }
  if (colored && order == ColorOrder::kGray) convert_to_gray(part.image);
}

}  // namespace orepa
