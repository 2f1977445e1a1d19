// HDF5 files of named float32 arrays: weights, golden values, checkpoints, what `orepa_tool run`
// reads and writes.
//
// A name is a path like "/data/conv1/weight"; the first slash may be left out. Arrays are in
// Caffe's order (row-major at every rank: NCHW, OIHW); a scalar has rank 0. The HDF5 library is not
// thread-safe: threads take turns, in the whole process. Every error is an Error that names the
// file and the array; HDF5 itself prints nothing.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "orepa/tensor.h"

namespace orepa {

class TensorFileReader {
 public:
  // Throws Error where the file cannot be read or is no HDF5 file, and where its arrays claim more
  // than a file of its size can hold: as many bytes as it has, 1032 times as many where they are
  // compressed.
  explicit TensorFileReader(const std::string& path);
  TensorFileReader(const TensorFileReader&) = delete;
  TensorFileReader& operator=(const TensorFileReader&) = delete;
  ~TensorFileReader();

  const std::string& path() const { return path_; }
  // Whether there is an array or a group of that name.
  bool has(const std::string& name) const;
  // Full names of all arrays in `group` and the groups inside it, in alphabetical order; none where
  // there is no such group.
  std::vector<std::string> names(const std::string& group = "/") const;
  Shape shape(const std::string& name) const;
  // shape(name).count() numbers; integers and doubles are converted.
  std::vector<float> read(const std::string& name) const;
  std::vector<double> read_doubles(const std::string& name) const;
  // An array of one integer, and one that is a text.
  int64_t read_integer(const std::string& name) const;
  std::string read_text(const std::string& name) const;

  // Attributes of an array or a group ("/" for those of the whole file).
  bool has_attribute(const std::string& name, const std::string& attribute) const;
  double number(const std::string& name, const std::string& attribute) const;
  std::string string(const std::string& name, const std::string& attribute) const;

 private:
  void require_claims_that_fit() const;
  template <class Number>
  std::vector<Number> read_as(int64_t memory_type, const std::string& name) const;
  std::string path_;
  int64_t file_ = -1;
};

// Collects arrays in memory; nothing is on the disk before save(). The same arrays make the same
// bytes.
class TensorFileWriter {
 public:
  TensorFileWriter();
  TensorFileWriter(const TensorFileWriter&) = delete;
  TensorFileWriter& operator=(const TensorFileWriter&) = delete;
  ~TensorFileWriter();

  // REQUIRES: `values` holds shape.count() numbers. Groups on the way are made. Throws Error where
  // the name is taken.
  void write(const std::string& name, const Shape& shape, const std::vector<float>& values);
  // A vector of float64.
  void write_doubles(const std::string& name, const std::vector<double>& values);
  // One 64-bit integer; `shape` holds one number.
  void write_integer(const std::string& name, int64_t value, const Shape& shape = {});
  void write_text(const std::string& name, const std::string& value);
  // Of an array that was written, or of a group.
  void set_attribute(const std::string& name, const std::string& attribute, int64_t value);
  // The file.
  std::string bytes() const;
  // Atomic: the whole file, or an Error and no file.
  void save(const std::string& path) const;

 private:
  void write_array(const std::string& name, const Shape& shape, int64_t stored_type,
                   int64_t memory_type, const void* values);
  int64_t file_ = -1;
};

}  // namespace orepa
