// Decoder: from a record to the pixels that a view shows.
//
// It keeps buffers and the state of libraries: one a thread, used time and again. What it needs
// itself does not grow once it has met the largest image; libjpeg and libpng allocate as they like.
#pragma once
#include <memory>

#include "data/view.h"
#include "orepa/data_source.h"

namespace orepa {

struct DecoderOptions {
  ColorOrder order = ColorOrder::kBgr;  // of decoded files; records of pixels stay as they are
  // Every pixel of a JPEG as the whole file decodes to. Otherwise one that a view with kAntialias
  // shrinks to half or less is decoded at 1/2, 1/4 or 1/8, never smaller than it is seen.
  bool exact = false;
};

class Decoder {
 public:
  explicit Decoder(const DecoderOptions& options);
  ~Decoder();

  // Begins with a record, which must stay until it is decoded. Throws Error where it is no image,
  // which says what is wrong, but not which record it is: the caller knows.
  void open(const Record& record);
  // Of the record that is open, as a viewer shows it: turned as its EXIF orientation says.
  Extent extent() const;
  int64_t channels() const;         // of what decode() writes
  int64_t stored_channels() const;  // of the file: 1 for grey, 3 for all else; or of the pixels

  // Writes view.window, H x W x C, to `out`; its padding is 0. Throws Error where the file is
  // damaged or cut short, as far as it has to be read for that.
  void decode(const View& view, unsigned char* out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace orepa
