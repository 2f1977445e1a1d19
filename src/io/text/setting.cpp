#include "io/text/setting.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/stubs/strutil.h>

#include <algorithm>
#include <memory>

#include "io/text/layer_names.h"
#include "io/text/parse_text.h"
#include "io/text/unknown_names.h"
#include "orepa/error.h"

namespace orepa {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;

bool is_message(const Field& field) { return field.cpp_type() == Field::CPPTYPE_MESSAGE; }

// Layers are known by their names, which all files that speak of them have; an entry of anything
// else has its place in the list alone.
bool has_names(const Field& field) {
  return is_message(field) && field.message_type()->name() == "LayerParameter";
}

class Setter {
 public:
  Setter(const Setting& setting, const std::vector<FieldPath::Step>& steps, Positions& positions,
         const std::string& holder)
      : setting_(setting), steps_(steps), positions_(positions), holder_(holder) {}

  bool set(pb::Message& message, size_t at = 0) const {
    const FieldPath::Step& step = steps_[at];
    const Field* field = message.GetDescriptor()->FindFieldByName(step.field);
    require(field != nullptr, setting_.place, ": ",
            unknown_field(*message.GetDescriptor(), step.field));
    require(field->is_repeated() || !step.has_entry, setting_.place, ": ", step.field,
            " is one value, no list; leave out [", step.entry, "]");
    if (at + 1 == steps_.size()) return set_value(message, *field, step), true;
    require(is_message(*field), setting_.place, ": ", step.field, " has no fields");
    require(!field->is_repeated() || step.has_entry, setting_.place, ": ", step.field,
            " is a list; say which one, as in ", step.field, has_names(*field) ? "[NAME]" : "[0]");
    const pb::Reflection& reflection = *message.GetReflection();
    if (!field->is_repeated()) return set(*reflection.MutableMessage(&message, field), at + 1);
    if (has_names(*field)) return set_named(message, *field, at);
    const int index = index_of(message, *field, step);
    return set(index == reflection.FieldSize(message, field)
                   ? *reflection.AddMessage(&message, field)
                   : *reflection.MutableRepeatedMessage(&message, field, index),
               at + 1);
  }

 private:
  bool set_named(pb::Message& message, const Field& field, size_t at) const {
    const pb::Reflection& reflection = *message.GetReflection();
    const std::string& wanted = steps_[at].entry;
    const std::string net = at == 0 ? holder_ : steps_[at - 1].field;
    int found = 0;
    bool by_phase = false;
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      pb::Message& entry = *reflection.MutableRepeatedMessage(&message, &field, i);
      const auto& layer = static_cast<const LayerParameter&>(entry);
      const std::vector<std::string> names = names_of(layer, net);
      if (std::find(names.begin(), names.end(), wanted) == names.end()) {
        require_one_phase(layer, net, wanted);
        continue;
      }
      by_phase = by_phase || wanted != layer.name();
      set(entry, at + 1);
      ++found;
    }
    require(found < 2 || !by_phase, setting_.place, ": ", found, " layers are \"", wanted,
            "\"; give them names of their own");
    return found > 0;
  }

  // What is of both phases has no value of its own in one.
  void require_one_phase(const LayerParameter& layer, const std::string& net,
                         const std::string& wanted) const {
    if (!runs_in(layer, TRAIN, net) || !runs_in(layer, TEST, net)) return;
    for (const NetPhase phase : {TRAIN, TEST})
      require(wanted != name_in_phase(layer, phase), setting_.place, ": layer \"", layer.name(),
              "\" is of both phases; leave out :", NetPhase_Name(phase),
              ", or write two, with include { phase: TRAIN } and include { phase: TEST }");
  }

  // The entry behind the last is one more.
  int index_of(const pb::Message& message, const Field& field, const FieldPath::Step& step) const {
    const int size = message.GetReflection()->FieldSize(message, &field);
    const bool number = !step.entry.empty() && step.entry.size() < 9 &&
                        step.entry.find_first_not_of("0123456789") == std::string::npos;
    require(number, setting_.place, ": \"", step.entry, "\" is no index into ", step.field,
            "; they are counted from 0");
    const int index = std::stoi(step.entry);
    require(index <= size, setting_.place, ": ", step.field, " has ", size,
            size == 1 ? " entry" : " entries", "; [", size, "] would be one more");
    return index;
  }

  void set_value(pb::Message& message, const Field& field, const FieldPath::Step& step) const {
    require(!has_names(field), setting_.place, ": a layer is no value; name a field of it");
    const std::unique_ptr<pb::Message> parsed = parse(message, field);
    const pb::Reflection& reflection = *message.GetReflection();
    if (!step.has_entry) {
      reflection.ClearField(&message, &field);
      message.MergeFrom(*parsed);
      return note(message, field, -1);
    }
    require(reflection.FieldSize(*parsed, &field) == 1, setting_.place, ": ", setting_.value,
            " is no single entry of ", step.field);
    const int index = index_of(message, field, step);
    const int size = reflection.FieldSize(message, &field);
    message.MergeFrom(*parsed);
    if (index < size) {
      reflection.SwapElements(&message, &field, index, size);
      reflection.RemoveLast(&message, &field);
    }
    note(message, field, index);
  }

  // A message of the same type in which the field has the value, and no other is set.
  std::unique_ptr<pb::Message> parse(const pb::Message& message, const Field& field) const {
    std::string value = setting_.value;
    // A shell takes quotation marks away.
    const bool bare = field.cpp_type() == Field::CPPTYPE_STRING && !value.starts_with('"') &&
                      !value.starts_with('\'') && !(field.is_repeated() && value.starts_with('['));
    if (bare) value = '"' + pb::CEscape(value) + '"';
    std::unique_ptr<pb::Message> parsed(message.New());
    Positions within("");
    try {
      parse_text(field.name() + ": " + value, "", *parsed, within);
    } catch (const Error& error) {
      fail(setting_.place, ": ", error.what());
    }
    std::vector<const Field*> set;
    parsed->GetReflection()->ListFields(*parsed, &set);
    require(set.empty() || (set.size() == 1 && set[0] == &field), setting_.place, ": \"",
            setting_.value, "\" is more than one value of ", field.name());
    return parsed;
  }

  void note(const pb::Message& message, const Field& field, int index) const {
    positions_.note(message, field.name(), index, setting_.place);
    if (!is_message(field)) return;
    const pb::Reflection& reflection = *message.GetReflection();
    if (!field.is_repeated()) return note_all(reflection.GetMessage(message, &field));
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i)
      if (index < 0 || i == index) note_all(reflection.GetRepeatedMessage(message, &field, i));
  }

  // The message and all in it.
  void note_all(const pb::Message& message) const {
    positions_.note(message, "", -1, setting_.place);
    std::vector<const Field*> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const Field* field : fields) note(message, *field, -1);
  }

  const Setting& setting_;
  const std::vector<FieldPath::Step>& steps_;
  Positions& positions_;
  const std::string& holder_;
};

}  // namespace

FieldPath::FieldPath(const std::string& path, const std::string& place) {
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find_first_of(".[", at), path.size());
    Step step;
    step.field = path.substr(at, end - at);
    require(!step.field.empty(), place, ": \"", path,
            "\" is no path of fields, as in net.layer[NAME].data_param.batch_size");
    at = end + 1;
    if (end < path.size() && path[end] == '[') {
      const size_t close = path.find(']', end);
      require(close != std::string::npos, place, ": the ] behind ", step.field, "[ is missing");
      require(close + 1 == path.size() || path[close + 1] == '.', place, ": \"",
              path.substr(close + 1), "\" stands behind a ], where a . or the end belongs");
      step.entry = path.substr(end + 1, close - end - 1);
      step.has_entry = true;
      at = close + 2;
    }
    steps.push_back(std::move(step));
  }
}

bool FieldPath::starts_with(const std::string& field) const {
  return steps.size() > 1 && steps[0].field == field && !steps[0].has_entry;
}

FieldPath FieldPath::rest() const {
  FieldPath path = *this;
  path.steps.erase(path.steps.begin());
  return path;
}

bool set_field(const Setting& setting, const FieldPath& path, pb::Message& message,
               Positions& positions, const std::string& holder) {
  return Setter(setting, path.steps, positions, holder).set(message);
}

}  // namespace orepa
