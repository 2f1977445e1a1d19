// Weight files: Caffe's .caffemodel, and .h5 with arrays /data/LAYER/KEY, where KEY is a
// parameter's name or its index among the layer's blobs. Written are names, but to .caffemodel.h5
// indices, as Caffe does.
//
// Blobs are matched by the layer's name, then by name or index; as in Caffe, a layer that both have
// must have the same blobs. Shapes that differ only in axes of length 1 are equal. BatchNorm's mean
// and variance are divided by the stored factor (0: both are 0; absent: 1), and the factor itself
// goes back to its steady value, unless the layer averages as Caffe does (caffe_averaging), where
// the stored one is kept. Files are written with a factor of 1.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "orepa/model_io.h"
#include "orepa/params.h"

namespace orepa {

struct WeightsReport {
  enum class Status {
    kLoaded,
    kMissing,    // a parameter that no file has
    kUnused,     // a blob that no parameter wants
    kMisshapen,  // a blob of another shape than its parameter; the parameter stays as it was
  };
  struct Row {
    Status status;
    std::string name;     // LAYER/NAME of a parameter, LAYER/KEY of an unused blob
    Shape wanted, found;  // of the parameter and of the blob, where there is one
    std::string file;     // of the blob
  };
  std::vector<Row> rows;

  int count(Status status) const;
  // A line of totals, then one for every row that was not loaded.
  std::string table() const;
};

// Loads the files, at least one; of two that hold the same blob the later wins. Throws Error,
// before any parameter is changed, where a file cannot be read or is damaged, where a layer has
// other blobs than the net's (it was trained as ORepaConv, say), where a number is not finite, and,
// if `strict`, where anything is missing, unused or misshapen. `left_out`: layers that were trained
// with the net but that these parameters are without; their blobs are passed over.
WeightsReport load_weights(const std::vector<std::string>& files, Parameters& parameters,
                           bool strict = false, const std::set<std::string>& left_out = {});

// Writes a .caffemodel (the net of `spec` with its blobs) or, by the ending, a .h5. Atomic: the
// whole file, or an Error and no file. Throws Error where `parameters` has a layer that is not in
// `spec`, and where a number is not finite: no reader would take the file.
void save_weights(const std::string& path, const NetSpec& spec, const Parameters& parameters);

}  // namespace orepa
