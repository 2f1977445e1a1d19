#include "io/text/net_text.h"

#include <algorithm>

#include "orepa.pb.h"
#include "orepa/error.h"

namespace orepa {
namespace {

bool is_layer(const TextField& field) { return field.name == "layer"; }

}  // namespace

NetText::NetText(std::string content, const std::string& name)
    : content_(std::move(content)),
      name_(name),
      scan_(scan_text(content_, name_, *NetParameter::descriptor())) {}

std::string NetText::known() const { return known_text(content_, scan_); }

std::vector<UnknownField> NetText::unknown_fields() const {
  std::vector<UnknownField> fields;
  auto field = scan_.fields.begin();
  int layer = 0;  // of those up to the field
  for (const UnknownText& unknown : scan_.unknown) {
    for (; field->end <= unknown.begin; ++field) layer += is_layer(*field);
    fields.push_back({is_layer(*field) ? layer : -1, place_of(unknown, name_), unknown.what});
  }
  return fields;
}

int NetText::layers() const {
  return static_cast<int>(std::count_if(scan_.fields.begin(), scan_.fields.end(), is_layer));
}

std::string NetText::replaced(const std::map<int, std::string>& layers) const {
  std::string result;
  size_t copied = 0, previous_end = 0;
  int layer = 0;
  for (const TextField& field : scan_.fields) {
    const auto found = is_layer(field) ? layers.find(layer++) : layers.end();
    if (found != layers.end()) {
      const size_t kept = found->second.empty() ? previous_end : field.begin;
      result += content_.substr(copied, kept - copied) + found->second;
      copied = field.end;
    }
    previous_end = field.end;
  }
  return result + content_.substr(copied);
}

std::string NetText::without(const std::set<int>& layers) const {
  std::string content = content_;
  int layer = 0;
  for (const TextField& field : scan_.fields)
    if (is_layer(field) && layers.contains(layer++)) blank_out(content, field.begin, field.end);
  return content;
}

}  // namespace orepa
