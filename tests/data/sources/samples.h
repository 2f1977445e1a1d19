// What tests of sources share.
#pragma once
#include <string>
#include <vector>

#include "orepa.pb.h"
#include "orepa/data_source.h"

namespace orepa {

inline std::string content_of(const Record& record) {
  return {record.content.begin(), record.content.end()};
}

// "name=content=label" of every sample, the name from `root` on.
inline std::vector<std::string> samples_of(const DataSource& source, const std::string& root) {
  std::vector<std::string> all;
  Record record;
  for (int64_t i = 0; i < source.size(); ++i) {
    source.read(i, record);
    std::string name = source.name(i);
    if (name.starts_with(root)) name = name.substr(root.size());
    all.push_back(name + "=" + content_of(record) + "=" + std::to_string(record.label));
  }
  return all;
}

inline Datum pixels_datum(int channels, int height, int width, const std::string& data, int label) {
  Datum datum;
  datum.set_channels(channels);
  datum.set_height(height);
  datum.set_width(width);
  datum.set_data(data);
  datum.set_label(label);
  return datum;
}

inline Datum file_datum(const std::string& data, int label) {
  Datum datum;
  datum.set_data(data);
  datum.set_label(label);
  datum.set_encoded(true);
  return datum;
}

}  // namespace orepa
