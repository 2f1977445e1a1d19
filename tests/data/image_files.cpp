#include "tests/data/image_files.h"

#include <jpeglib.h>
#include <png.h>

#include <cstdio>
#include <cstdlib>

namespace orepa {

Image picture(const Extent& extent, int64_t channels) {
  Image image;
  image.resize(extent, channels);
  for (int64_t y = 0; y < extent.height; ++y)
    for (int64_t x = 0; x < extent.width; ++x)
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t slope = 3 * x + 2 * y + 50 * c;
        const int64_t edges = ((x / 5 + y / (4 + c)) % 2) * 90 + (x * y * (c + 3)) % 41;
        image.at(y, x)[c] = static_cast<unsigned char>((slope % 256 + edges) / 2);
      }
  return image;
}

std::string exif_segment(int orientation, bool big_endian) {
  std::string tiff = big_endian ? "MM" : "II";
  const auto add = [&](int value, int bytes) {
    for (int i = 0; i < bytes; ++i)
      tiff += static_cast<char>(value >> 8 * (big_endian ? bytes - 1 - i : i));
  };
  add(42, 2);
  add(8, 4);       // the directory follows
  add(2, 2);       // entries
  add(0x0100, 2);  // the width, as a long
  add(4, 2);
  add(1, 4);
  add(640, 4);
  add(0x0112, 2);  // the orientation, as a short
  add(3, 2);
  add(1, 4);
  add(orientation, 2);
  add(0, 2);
  add(0, 4);  // no directory follows
  const std::string content = std::string("Exif\0\0", 6) + tiff;
  const auto length = static_cast<int>(content.size() + 2);
  return std::string("\xff\xe1") + static_cast<char>(length >> 8) + static_cast<char>(length) +
         content;
}

std::string jpeg_file(const Image& image, const JpegOptions& options) {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* file = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &file, &size);
  info.image_width = static_cast<JDIMENSION>(image.extent.width);
  info.image_height = static_cast<JDIMENSION>(image.extent.height);
  info.input_components = static_cast<int>(image.channels);
  info.in_color_space = image.channels == 1   ? JCS_GRAYSCALE
                        : image.channels == 3 ? JCS_RGB
                                              : JCS_CMYK;
  jpeg_set_defaults(&info);
  if (image.channels == 4) jpeg_set_colorspace(&info, JCS_YCCK);
  if (options.rgb) jpeg_set_colorspace(&info, JCS_RGB);
  jpeg_set_quality(&info, options.quality, TRUE);
  info.comp_info[0].h_samp_factor = options.horizontal;
  info.comp_info[0].v_samp_factor = options.vertical;
  for (int c = 1; c < info.num_components; ++c)
    info.comp_info[c].h_samp_factor = info.comp_info[c].v_samp_factor = 1;
  if (image.channels == 4) {  // black is as fine as luma
    info.comp_info[3].h_samp_factor = options.horizontal;
    info.comp_info[3].v_samp_factor = options.vertical;
  }
  if (options.progressive) jpeg_simple_progression(&info);
  std::vector<jpeg_scan_info> scans;
  for (int c = 0; c < info.num_components; ++c) scans.push_back({1, {c}, 0, DCTSIZE2 - 1, 0, 0});
  if (options.separate) {
    info.scan_info = scans.data();
    info.num_scans = static_cast<int>(scans.size());
  }
  info.restart_interval = static_cast<unsigned>(options.restart_interval);
  jpeg_start_compress(&info, TRUE);
  if (options.exif != 0) {
    const std::string segment = exif_segment(options.exif);
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(segment.data()) + 4,
                      static_cast<unsigned>(segment.size() - 4));
  }
  for (int64_t y = 0; y < image.extent.height; ++y) {
    JSAMPROW row = const_cast<JSAMPROW>(image.at(y, 0));
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const std::string content(reinterpret_cast<const char*>(file), size);
  std::free(file);
  return content;
}

Image whole_jpeg(const std::string& file, int color_space, int denominator) {
  jpeg_decompress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(file.data()), file.size());
  jpeg_read_header(&info, TRUE);
  info.out_color_space = static_cast<J_COLOR_SPACE>(color_space);
  info.scale_denom = static_cast<unsigned>(denominator);
  jpeg_start_decompress(&info);
  Image image;
  image.resize({info.output_height, info.output_width}, info.output_components);
  for (int64_t y = 0; y < image.extent.height; ++y) {
    JSAMPROW row = image.at(y, 0);
    jpeg_read_scanlines(&info, &row, 1);
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  return image;
}

namespace {

// Writes rows of `row_bytes`, after what `prepare` sets.
template <class Prepare>
std::string write_png(const Extent& extent, int depth, int kind, bool interlaced,
                      std::vector<unsigned char>& bytes, size_t row_bytes, const Prepare& prepare) {
  std::string file;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &file,
      [](png_structp to, png_bytep from, png_size_t count) {
        static_cast<std::string*>(png_get_io_ptr(to))
            ->append(reinterpret_cast<const char*>(from), count);
      },
      nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(extent.width),
               static_cast<png_uint_32>(extent.height), depth, kind,
               interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  prepare(png, info);
  std::vector<png_bytep> rows;
  for (int64_t y = 0; y < extent.height; ++y)
    rows.push_back(bytes.data() + static_cast<size_t>(y) * row_bytes);
  png_set_rows(png, info, rows.data());
  png_write_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  png_destroy_write_struct(&png, &info);
  return file;
}

}  // namespace

std::string png_file(const Image& image, int depth, bool interlaced) {
  constexpr int kKinds[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                            PNG_COLOR_TYPE_RGB_ALPHA};
  std::vector<unsigned char> bytes;
  for (int64_t i = 0; i < image.extent.height * image.stride(); ++i) {
    const unsigned char byte = image.pixels[static_cast<size_t>(i)];
    bytes.push_back(byte);
    if (depth == 16) bytes.push_back(static_cast<unsigned char>(255 - byte));
  }
  const size_t row_bytes = static_cast<size_t>(image.stride() * depth / 8);
  return write_png(image.extent, depth, kKinds[image.channels - 1], interlaced, bytes, row_bytes,
                   [](png_structp, png_infop) {});
}

std::string palette_png_file(const Image& indices, const std::vector<unsigned char>& colors,
                             int depth, bool transparent) {
  const size_t row_bytes = static_cast<size_t>((indices.extent.width * depth + 7) / 8);
  std::vector<unsigned char> bytes(row_bytes * static_cast<size_t>(indices.extent.height));
  for (int64_t y = 0; y < indices.extent.height; ++y)
    for (int64_t x = 0; x < indices.extent.width; ++x)
      bytes[static_cast<size_t>(y) * row_bytes + static_cast<size_t>(x * depth / 8)] |=
          static_cast<unsigned char>(*indices.at(y, x) << (8 - depth - x * depth % 8));
  return write_png(indices.extent, depth, PNG_COLOR_TYPE_PALETTE, false, bytes, row_bytes,
                   [&](png_structp png, png_infop info) {
                     png_set_PLTE(png, info, reinterpret_cast<png_const_colorp>(colors.data()),
                                  static_cast<int>(colors.size() / 3));
                     const png_byte alpha = 0;
                     if (transparent) png_set_tRNS(png, info, &alpha, 1, nullptr);
                   });
}

std::vector<unsigned char> pixels_of(const Part& part, const Box& box) {
  std::vector<unsigned char> pixels;
  for (int64_t y = 0; y < box.height; ++y) {
    const unsigned char* row = part.at(box.top + y, box.left);
    pixels.insert(pixels.end(), row, row + box.width * part.image.channels);
  }
  return pixels;
}

std::vector<unsigned char> pixels_of(const Image& image, const Box& box) {
  return pixels_of(Part{image, 0, 0}, box);
}

}  // namespace orepa
