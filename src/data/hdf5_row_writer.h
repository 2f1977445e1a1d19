// Hdf5RowWriter: an HDF5 file of float32 arrays that come a few rows at a time and may be larger
// than memory.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/temporary_file.h"
#include "orepa/tensor.h"

namespace orepa {

class Hdf5RowWriter {
 public:
  // The shapes of all arrays, by name; one of 0 rows has as many as come. Throws Error where
  // nothing can be written there, and where the disk has no room for them.
  Hdf5RowWriter(const std::string& path, const std::map<std::string, Shape>& arrays);
  Hdf5RowWriter(const Hdf5RowWriter&) = delete;
  Hdf5RowWriter& operator=(const Hdf5RowWriter&) = delete;
  ~Hdf5RowWriter();

  // The next rows of an array, row-major. REQUIRES: it has so many more. Throws Error where the
  // disk is full.
  void add(const std::string& name, const std::vector<float>& rows);
  // The file gets its name. Throws Error where an array misses rows, and where the disk is full.
  // Nothing may be added any more.
  void finish();

 private:
  struct Array {
    int64_t id = -1, rows = 0;  // rows that were written
    Shape shape;
    bool grows() const { return shape[0] == 0; }
  };
  void create(const std::string& name, Array& array);
  bool close();  // whether all is in the file

  std::string path_;
  TemporaryFile temporary_;
  int64_t file_ = -1;
  std::map<std::string, Array> arrays_;
};

}  // namespace orepa
