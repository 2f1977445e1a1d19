#include "data/jpeg.h"

#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>

#include "data/luma.h"
#include "orepa/error.h"

namespace orepa {
namespace {

// Progressive files have about ten. Each passes over the whole image, however few bytes it has.
constexpr int kMostScans = 256;

// How far a pixel's colour depends on its neighbours: fancy upsampling looks at the next sample of
// colour, of 2 pixels, on either side.
constexpr int64_t kMargin = 4;

// libjpeg-turbo's columns of a part are not those of the whole where samples of colour are 4 pixels
// wide (2.1.5, scaled); other unusual samplings are not trusted either.
bool can_crop_columns(const jpeg_decompress_struct& info) {
  return std::all_of(
      info.comp_info, info.comp_info + info.num_components,
      [&](const jpeg_component_info& component) {
        const int h = component.h_samp_factor, v = component.v_samp_factor;
        return h <= 2 && v <= 2 &&
               ((h == 1 && v == 1) || (h == info.max_h_samp_factor && v == info.max_v_samp_factor));
      });
}

// CMYK as Adobe and everybody after it stores it, inverted, to RGB as Pillow does.
void convert_cmyk(ColorOrder order, Image& image) {
  const int64_t channels = order == ColorOrder::kGray ? 1 : 3;
  const unsigned char* from = image.pixels.data();
  unsigned char* to = image.pixels.data();
  const int64_t count = image.extent.height * image.extent.width;
  for (int64_t i = 0; i < count; ++i, from += 4, to += channels) {
    const int black = from[3];
    unsigned char rgb[3];
    for (int c = 0; c < 3; ++c) {
      const int product = (255 - from[c]) * black + 128;
      rgb[c] = static_cast<unsigned char>(black - (((product >> 8) + product) >> 8));
    }
    if (order == ColorOrder::kBgr) std::swap(rgb[0], rgb[2]);
    if (order == ColorOrder::kGray)
      *to = luma(rgb[0], rgb[1], rgb[2]);
    else
      std::copy_n(rgb, 3, to);
  }
  image.resize(image.extent, channels);
}

}  // namespace

// libjpeg reports an error by a call that may not return, and must not throw either: C frames lie
// between. So it jumps back to `completes`, which says that there was one.
struct JpegReader::State {
  jpeg_decompress_struct info;
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
  std::span<const unsigned char> file;
  Extent extent;
  bool at_start = false;  // its header is read, and nothing behind it

  static State& of(j_common_ptr info) { return *static_cast<State*>(info->client_data); }

  [[noreturn]] static void give_up(j_common_ptr info) {
    State& state = of(info);
    state.errors.format_message(info, state.message);
    std::longjmp(state.jump, 1);
  }
  static void limit_scans(j_common_ptr info) {
    if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMostScans) return;
    State& state = of(info);
    std::snprintf(state.message, sizeof(state.message), "more than %d scans", kMostScans);
    std::longjmp(state.jump, 1);
  }

  // Calls call(), from which nothing with a destructor may call libjpeg. Throws what it reports.
  template <class Call>
  void complete(const Call& call) {
    if (completes(call)) return;
    at_start = false;
    jpeg_abort_decompress(&info);
    fail(errors.msg_code == JWRN_JPEG_EOF ? "the JPEG file is cut short"
                                          : text("the JPEG file is damaged: ", message));
  }
  template <class Call>
  bool completes(const Call& call) {
    if (setjmp(jump) != 0) return false;
    call();
    return true;
  }

  void read_header() {
    complete([&] {
      jpeg_abort_decompress(&info);
      jpeg_mem_src(&info, file.data(), file.size());
      jpeg_read_header(&info, TRUE);
    });
    at_start = true;
  }
};

JpegReader::JpegReader() : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.info.err = jpeg_std_error(&state.errors);
  state.errors.error_exit = State::give_up;
  state.errors.output_message = [](j_common_ptr) {};
  // Warnings are about data that is not as it should be, but for two, about what is in a header.
  state.errors.emit_message = [](j_common_ptr info, int level) {
    const int code = info->err->msg_code;
    if (level < 0 && code != JWRN_JFIF_MAJOR && code != JWRN_ADOBE_XFORM) State::give_up(info);
  };
  state.progress.progress_monitor = State::limit_scans;
  state.info.client_data = &state;
  state.complete([&] { jpeg_create_decompress(&state.info); });
  state.info.progress = &state.progress;
}

JpegReader::~JpegReader() { jpeg_destroy_decompress(&state_->info); }

void JpegReader::open(std::span<const unsigned char> file) {
  State& state = *state_;
  state.file = file;
  state.read_header();
  state.extent = {state.info.image_height, state.info.image_width};
  require_decodable(state.extent);
  require(state.info.jpeg_color_space != JCS_UNKNOWN, "a JPEG file of ", state.info.num_components,
          " components; they have to be grey, YCbCr, RGB, CMYK or YCCK");
}

const Extent& JpegReader::extent() const { return state_->extent; }
bool JpegReader::gray() const { return state_->info.jpeg_color_space == JCS_GRAYSCALE; }

void JpegReader::decode(const Box& box, int denominator, ColorOrder order, Part& part) {
  State& state = *state_;
  jpeg_decompress_struct& info = state.info;
  if (!state.at_start) state.read_header();
  state.at_start = false;

  const bool cmyk = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  info.out_color_space = cmyk                         ? JCS_CMYK
                         : order == ColorOrder::kGray ? JCS_GRAYSCALE
                         : order == ColorOrder::kRgb  ? JCS_EXT_RGB
                                                      : JCS_EXT_BGR;
  info.scale_num = 1;
  info.scale_denom = static_cast<unsigned>(denominator);
  info.dct_method = JDCT_ISLOW;
  info.do_fancy_upsampling = TRUE;
  info.do_block_smoothing = FALSE;  // it looks beyond the part that is decoded
  const bool crop = can_crop_columns(info);
  JDIMENSION left = 0, width = 0;
  state.complete([&] {
    jpeg_start_decompress(&info);
    width = info.output_width;
    if (!crop) return;
    left = static_cast<JDIMENSION>(std::max<int64_t>(box.left - kMargin, 0));
    width = static_cast<JDIMENSION>(
                std::min<int64_t>(box.left + box.width + kMargin, info.output_width)) -
            left;
    jpeg_crop_scanline(&info, &left, &width);
  });
  part.top = box.top;
  part.left = left;
  part.image.resize({box.height, width}, info.output_components);
  state.complete([&] {
    jpeg_skip_scanlines(&info, static_cast<JDIMENSION>(box.top));
    for (int64_t y = 0; y < box.height;) {
      JSAMPROW row = part.image.at(y, 0);
      y += jpeg_read_scanlines(&info, &row, 1);
    }
  });
  jpeg_abort_decompress(&info);
  if (cmyk) convert_cmyk(order, part.image);
}

}  // namespace orepa
