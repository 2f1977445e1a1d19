#include "data/jpeg_writer.h"

#include <jpeglib.h>

#include <csetjmp>
#include <cstdio>
#include <cstdlib>

#include "orepa/error.h"

namespace orepa {
namespace {

// libjpeg's calls may not return where they fail, and must not throw: C frames lie between.
struct Compression {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  std::jmp_buf jump;
  unsigned char* bytes = nullptr;
  unsigned long size = 0;

  Compression() {
    info.err = jpeg_std_error(&errors);
    info.client_data = this;
    errors.error_exit = [](j_common_ptr failed) {
      std::longjmp(static_cast<Compression*>(failed->client_data)->jump, 1);
    };
  }
  Compression(const Compression&) = delete;
  Compression& operator=(const Compression&) = delete;
  ~Compression() {
    jpeg_destroy_compress(&info);
    std::free(bytes);
  }

  // Whether it succeeded.
  bool run(const Image& image, int quality) {
    if (setjmp(jump) != 0) return false;
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &bytes, &size);
    info.image_width = static_cast<JDIMENSION>(image.extent.width);
    info.image_height = static_cast<JDIMENSION>(image.extent.height);
    info.input_components = static_cast<int>(image.channels);
    info.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    info.optimize_coding = TRUE;
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
      auto* row = const_cast<unsigned char*>(image.at(info.next_scanline, 0));
      jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    return true;
  }
};

}  // namespace

std::string jpeg_bytes(const Image& image, int quality) {
  constexpr int64_t kMost = 65500;  // JPEG_MAX_DIMENSION
  require(image.extent.height <= kMost && image.extent.width <= kMost, "an image of ",
          image.extent.height, " x ", image.extent.width, " pixels; a JPEG file has at most ",
          kMost, " a side");
  Compression compression;
  char reason[JMSG_LENGTH_MAX] = "";
  if (!compression.run(image, quality)) {
    compression.errors.format_message(reinterpret_cast<j_common_ptr>(&compression.info), reason);
    fail("a JPEG file could not be made: ", reason);
  }
  return {reinterpret_cast<const char*>(compression.bytes), compression.size};
}

}  // namespace orepa
