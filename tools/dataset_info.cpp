#include <algorithm>
#include <iostream>
#include <map>

#include "command.h"
#include "dataset.h"
#include "orepa/error.h"
#include "table.h"

namespace orepa::tool {
namespace {

// What is known of one sample.
struct Facts {
  int64_t label = 0, bytes = 0;
  Extent extent;
  std::string encoding;  // empty where it is no image
};

std::string encoding_of(const Record& record, int64_t channels) {
  if (record.kind == Record::Kind::kNumbers) return text("numbers, ", record.channels, " channels");
  if (record.kind == Record::Kind::kPixels) return text("pixels, ", record.channels, " channels");
  const bool jpeg = record.content.size() > 1 && record.content[0] == 0xff;
  return text(jpeg ? "JPEG" : "PNG", channels == 1 ? ", grey" : ", colour");
}

Facts facts_of(ImageReader& reader, const DataSource& source, int64_t index) {
  Facts facts;
  try {
    reader.open(source, index);
    facts.extent = reader.extent();
    facts.encoding = encoding_of(reader.record(), reader.channels());
  } catch (const Error&) {
    const Record& record = reader.record();
    if (record.kind == Record::Kind::kNumbers) {
      facts.extent = {record.height, record.width};
      facts.encoding = encoding_of(record, 0);
    }
  }
  facts.label = reader.record().label;
  facts.bytes = static_cast<int64_t>(reader.record().content.size());
  return facts;
}

std::vector<std::string> spread_row(const std::string& title, std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  return {title, grouped(values.front()), grouped(values[values.size() / 2]),
          grouped(values.back())};
}

std::string class_name(const DataSource& source, int64_t label) {
  const auto at = static_cast<size_t>(label);
  return label >= 0 && at < source.classes().size() ? source.classes()[at] : "";
}

void info() {
  const Dataset dataset = open_dataset();
  const DataSource& source = *dataset.source;
  std::vector<std::unique_ptr<ImageReader>> readers;
  for (int i = 0; i < threads(); ++i)
    readers.push_back(std::make_unique<ImageReader>(ColorOrder::kRgb));
  std::vector<Facts> all(static_cast<size_t>(source.size()));
  walk("reading", source, [&](int thread, int64_t index) {
    all[static_cast<size_t>(index)] =
        facts_of(*readers[static_cast<size_t>(thread)], source, index);
  });

  std::map<int64_t, int64_t> labels;
  for (size_t label = 0; label < source.classes().size(); ++label)
    labels[static_cast<int64_t>(label)] = 0;
  std::map<std::string, int64_t> encodings;
  std::vector<int64_t> heights, widths, bytes;
  int64_t bad = 0, total = 0;
  for (const Facts& facts : all) {
    ++labels[facts.label];
    total += facts.bytes;
    if (facts.encoding.empty()) {
      ++bad;
      continue;
    }
    ++encodings[facts.encoding];
    heights.push_back(facts.extent.height);
    widths.push_back(facts.extent.width);
    bytes.push_back(facts.bytes);
  }
  std::cout << dataset.name.source << ": " << dataset.name.backend << ", " << grouped(source.size())
            << " samples, " << mebibytes(total) << " MiB\n\n";
  Table classes({"label", "class", "samples"}, 2);
  for (const auto& [label, count] : labels)
    classes.add({std::to_string(label), class_name(source, label), grouped(count)});
  std::cout << classes.str();
  if (!heights.empty()) {
    Table spread({"", "least", "median", "most"}, 1);
    spread.add(spread_row("height", heights));
    spread.add(spread_row("width", widths));
    spread.add(spread_row("bytes", bytes));
    std::cout << "\n" << spread.str();
  }
  Table kinds({"stored as", "samples"}, 1);
  for (const auto& [encoding, count] : encodings) kinds.add({encoding, grouped(count)});
  if (bad > 0) kinds.add({"no image that can be read", grouped(bad)});
  std::cout << "\n" << kinds.str();
  if (bad > 0) std::cout << "\n`orepa_tool dataset verify` names those that cannot be read\n";
}

const CommandRegistrar registrar({"dataset info",
                                  "classes, sizes and encodings of a data set",
                                  {"source"},
                                  with_source_flags({}),
                                  info});

}  // namespace
}  // namespace orepa::tool
