// What a Decoder makes of files, for test_transforms.py: one line of standard input a view,
//
//   FILE COLORS WORK FILTER TOP LEFT HEIGHT WIDTH HEIGHT WIDTH [OPERATION FACTOR]...
//
// COLORS: gray, rgb, bgr; WORK: exact, scaled; FILTER: antialias, bilinear; then the region, and
// what it is resized to; OPERATION: brightness, contrast, saturation, hue. Its pixels go to
// standard output, H x W x C.
#include <cstdio>
#include <iostream>
#include <map>
#include <sstream>

#include "core/input_file.h"
#include "data/decoder.h"
#include "data/photometric.h"
#include "orepa/error.h"

using namespace orepa;

namespace {

const std::map<std::string, ColorOrder> kOrders = {
    {"gray", ColorOrder::kGray}, {"rgb", ColorOrder::kRgb}, {"bgr", ColorOrder::kBgr}};
const std::map<std::string, Filter> kFilters = {{"antialias", Filter::kAntialias},
                                                {"bilinear", Filter::kBilinear}};
const std::map<std::string, Photometric> kOperations = {{"brightness", Photometric::kBrightness},
                                                        {"contrast", Photometric::kContrast},
                                                        {"saturation", Photometric::kSaturation},
                                                        {"hue", Photometric::kHue}};

void show(const std::string& line) {
  std::istringstream words(line);
  std::string file, colors, work, filter, operation;
  View view;
  words >> file >> colors >> work >> filter >> view.region.top >> view.region.left >>
      view.region.height >> view.region.width >> view.size.height >> view.size.width;
  require(!words.fail(), "a line that is no view: ", line);
  view.filter = kFilters.at(filter);
  view.window = {0, 0, view.size.height, view.size.width};
  Record record;
  record.kind = Record::Kind::kFile;
  const std::string content = read_file(file);
  record.buffer.assign(content.begin(), content.end());
  record.content = record.buffer;
  Decoder decoder({.order = kOrders.at(colors), .exact = work == "exact"});
  decoder.open(record);
  std::vector<unsigned char> pixels(
      static_cast<size_t>(view.size.height * view.size.width * decoder.channels()));
  decoder.decode(view, pixels.data());
  for (double factor; words >> operation >> factor;)
    adjust(kOperations.at(operation), factor, kOrders.at(colors), pixels);
  std::fwrite(pixels.data(), 1, pixels.size(), stdout);
}

}  // namespace

int main() {
  try {
    for (std::string line; std::getline(std::cin, line);) show(line);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "show_view: %s\n", error.what());
    return 1;
  }
}
