#include "orepa/weights.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <map>
#include <set>

#include "core/atomic_file.h"
#include "io/text/same_layers.h"
#include "io/weights/stored_blobs.h"
#include "orepa/error.h"

namespace orepa {
namespace {

using Status = WeightsReport::Status;
using Values = std::map<const Parameter*, std::vector<float>>;

bool is_hdf5(const std::string& path) {
  require_weights_name(path);
  return path.ends_with(".h5");
}

// Parameters by LAYER/NAME and by LAYER/INDEX.
std::map<std::string, Parameter*> by_key(const Parameters& parameters) {
  std::map<std::string, Parameter*> keys;
  for (const Parameters::Place& place : parameters.places()) {
    if (!in_files(*place.parameter)) continue;
    keys[place.path()] = place.parameter;
    keys[text(place.layer, "/", place.index)] = place.parameter;
  }
  return keys;
}

void require_finite(const StoredBlob& blob, const std::string& file) {
  for (size_t i = 0; i < blob.values.size(); ++i)
    require(std::isfinite(blob.values[i]), file, ": layer \"", blob.layer, "\", blob ", blob.key,
            ": number ", i, " is ", blob.values[i], "; the training that wrote it had diverged");
}

// From Caffe's form (sums and a factor) to ours (averages and a factor).
void divide_by_factor(const Parameters& parameters, Values& values) {
  for (const auto& factor : parameters.all()) {
    if (!is_factor(*factor)) continue;
    const auto given = values.find(factor.get());
    const double stored = given == values.end() ? 1 : given->second.at(0);
    bool any = given != values.end();
    for (const char* name : {"mean", "variance"}) {
      const auto found = values.find(parameters.find(factor->layer, name));
      if (found == values.end()) continue;
      any = true;
      for (float& value : found->second)
        value = stored == 0 ? 0.0f : static_cast<float>(value / stored);
    }
    const double steady = factor->filler.value;  // 0 where the layer averages as Caffe does
    if (any) values[factor.get()] = {static_cast<float>(steady == 0 ? stored : steady)};
  }
}

const char* name_of(Status status) {
  switch (status) {
    case Status::kLoaded:
      return "loaded";
    case Status::kMissing:
      return "missing";
    case Status::kUnused:
      return "unused";
    case Status::kMisshapen:
      return "misshapen";
  }
  return "";
}

std::string details(const WeightsReport::Row& row) {
  switch (row.status) {
    case Status::kUnused:
      return text(row.found.str(), " in ", row.file);
    case Status::kMisshapen:
      return text(row.wanted.str(), " wanted, ", row.found.str(), " in ", row.file);
    default:
      return row.wanted.str();
  }
}

}  // namespace

void require_weights_name(const std::string& path) {
  require(path.ends_with(".caffemodel") || path.ends_with(".h5"), path,
          ": is no weight file by its name: expected NAME.caffemodel or NAME.h5",
          path.find(".solverstate") == std::string::npos
              ? ""
              : "; a .solverstate is for --snapshot, its weights stand beside it");
}

int WeightsReport::count(Status status) const {
  return static_cast<int>(std::count_if(rows.begin(), rows.end(),
                                        [&](const Row& row) { return row.status == status; }));
}

std::string WeightsReport::table() const {
  std::ostringstream out;
  out << "weights: " << count(Status::kLoaded) << " loaded, " << count(Status::kMissing)
      << " missing, " << count(Status::kUnused) << " unused, " << count(Status::kMisshapen)
      << " misshapen\n";
  constexpr size_t kWidest = 100;  // a longer name, of a damaged file, does not widen every line
  size_t width = 0;
  for (const Row& row : rows)
    if (row.status != Status::kLoaded && row.name.size() <= kWidest)
      width = std::max(width, row.name.size());
  for (const Row& row : rows)
    if (row.status != Status::kLoaded)
      out << "  " << std::left << std::setw(9) << name_of(row.status) << "  "
          << std::setw(static_cast<int>(width)) << row.name << "  " << details(row) << "\n";
  return out.str();
}

WeightsReport load_weights(const std::vector<std::string>& files, Parameters& parameters,
                           bool strict, const std::set<std::string>& left_out) {
  require(!files.empty(), "no weight file is named");
  WeightsReport report;
  const std::map<std::string, Parameter*> wanted = by_key(parameters);
  std::map<const Parameter*, std::string> origins;
  std::set<const Parameter*> seen;
  Values values;
  for (const std::string& file : files) {
    std::vector<StoredBlob> blobs = is_hdf5(file) ? read_hdf5_weights(file) : read_caffemodel(file);
    require_same_layers(blobs, file, parameters);
    for (StoredBlob& blob : blobs) {
      if (left_out.contains(blob.layer)) continue;
      const auto found = wanted.find(blob.layer + "/" + blob.key);
      if (found == wanted.end()) {
        report.rows.push_back({Status::kUnused, blob.layer + "/" + blob.key, {}, blob.shape, file});
        continue;
      }
      const Parameter& parameter = *found->second;
      seen.insert(&parameter);
      if (parameter.value.shape.squeezed() != blob.shape.squeezed()) {
        report.rows.push_back(
            {Status::kMisshapen, parameter.path(), parameter.value.shape, blob.shape, file});
        continue;
      }
      require_finite(blob, file);
      values[&parameter] = std::move(blob.values);
      origins[&parameter] = file;
    }
  }
  for (const auto& parameter : parameters.all()) {
    const Shape& shape = parameter->value.shape;
    if (values.count(parameter.get()) > 0)
      report.rows.push_back(
          {Status::kLoaded, parameter->path(), shape, shape, origins[parameter.get()]});
    else if (in_files(*parameter) && !is_factor(*parameter) && seen.count(parameter.get()) == 0)
      report.rows.push_back({Status::kMissing, parameter->path(), shape, {}, ""});
  }
  if (strict && report.count(Status::kLoaded) < static_cast<int>(report.rows.size())) {
    std::string names;
    for (const std::string& file : files) names += (names.empty() ? "" : ", ") + file;
    fail(names, ": does not fit the net\n", report.table());
  }
  divide_by_factor(parameters, values);
  for (const auto& parameter : parameters.all()) {
    const auto found = values.find(parameter.get());
    if (found != values.end()) parameters.write(*parameter, found->second);
  }
  return report;
}

std::string weights_bytes(const std::string& path, const NetSpec& spec,
                          const Parameters& parameters) {
  const bool hdf5 = is_hdf5(path), caffes = path.ends_with(".caffemodel.h5");
  std::vector<StoredBlob> blobs;
  for (const Parameters::Place& place : parameters.places()) {
    const Parameter& parameter = *place.parameter;
    // As in Caffe, one that is shared stands in all of its layers, and in HDF5 in the first alone.
    if (!in_files(parameter) || (hdf5 && !place.is_first())) continue;
    blobs.push_back({place.layer, caffes ? std::to_string(place.index) : place.name, place.shape,
                     is_factor(parameter) ? std::vector<float>{1} : parameters.read(parameter)});
    require_finite(blobs.back(), path);
  }
  return hdf5 ? hdf5_weights_bytes(blobs) : caffemodel_bytes(path, spec, blobs);
}

void save_weights(const std::string& path, const NetSpec& spec, const Parameters& parameters) {
  write_atomically(path, weights_bytes(path, spec, parameters));
}

}  // namespace orepa
