// Caffe's message Datum, read by hand: no generated header below src/engine, and no copy of its
// bytes.
#pragma once
#include "orepa/data_source.h"

namespace orepa {

// Fills `record` with the message in `value`, into which its content points; but numbers that are
// not stored in one piece lie in its buffer. Throws Error that begins with the sample's name.
void read_datum(std::span<const unsigned char> value, const DataSource& source, int64_t index,
                Record& record);

}  // namespace orepa
