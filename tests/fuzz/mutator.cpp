#include "tests/fuzz/mutator.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/message.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/text_format.h>

#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "orepa/branch.h"
#include "orepa/layer.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

namespace orepa::fuzz {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;

constexpr int kDeepest = 4;      // of the messages that one mutation makes
constexpr int kMostCopies = 24;  // of one repeated message

struct NoErrors : pb::io::ErrorCollector {
  void AddError(int, int, const std::string&) override {}
};

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  void mutate(pb::Message& root) {
    for (size_t times = 1 + below(3); times > 0; --times) {
      messages_.clear();
      names_.clear();
      collect(root);
      change(*messages_[below(messages_.size())], 0);
    }
  }

 private:
  size_t below(size_t count) { return random_() % count; }
  template <class Values>
  const auto& any(const Values& values) {
    return values[below(std::size(values))];
  }

  static int count(const pb::Message& message, const Field& field) {
    return field.is_repeated() ? message.GetReflection()->FieldSize(message, &field) : 1;
  }

  void collect(pb::Message& message) {
    messages_.push_back(&message);
    const pb::Reflection& get = *message.GetReflection();
    std::vector<const Field*> fields;
    get.ListFields(message, &fields);
    for (const Field* field : fields)
      for (int i = 0; i < count(message, *field); ++i) {
        if (field->cpp_type() == Field::CPPTYPE_STRING)
          names_.push_back(field->is_repeated() ? get.GetRepeatedString(message, field, i)
                                                : get.GetString(message, field));
        if (field->cpp_type() == Field::CPPTYPE_MESSAGE)
          collect(field->is_repeated() ? *get.MutableRepeatedMessage(&message, field, i)
                                       : *get.MutableMessage(&message, field));
      }
  }

  void change(pb::Message& message, int depth) {
    std::vector<const Field*> present;
    message.GetReflection()->ListFields(message, &present);
    const size_t kind = below(10);
    if (present.empty() || kind > 6) {
      const int fields = message.GetDescriptor()->field_count();
      if (fields > 0)
        set(message, *message.GetDescriptor()->field(static_cast<int>(below(fields))), depth);
    } else if (kind < 5) {
      set(message, *any(present), depth);
    } else if (kind == 5) {
      remove(message, *any(present));
    } else {
      copy(message, *any(present), depth);
    }
  }

  void remove(pb::Message& message, const Field& field) {
    const pb::Reflection& set = *message.GetReflection();
    const int last = count(message, field) - 1;
    if (last < 1) return set.ClearField(&message, &field);
    set.SwapElements(&message, &field, static_cast<int>(below(last + 1)), last);
    set.RemoveLast(&message, &field);
  }

  void copy(pb::Message& message, const Field& field, int depth) {
    const pb::Reflection& set = *message.GetReflection();
    const int size = count(message, field);
    if (!field.is_repeated() || field.cpp_type() != Field::CPPTYPE_MESSAGE || size >= kMostCopies)
      return;
    pb::Message& made = *set.AddMessage(&message, &field);
    made.CopyFrom(set.GetRepeatedMessage(message, &field, static_cast<int>(below(size))));
    if (below(2) == 0) change(made, depth + 1);
    if (below(2) == 0)
      for (int i = size; i > 0 && below(4) > 0; --i) set.SwapElements(&message, &field, i, i - 1);
  }

  void set(pb::Message& message, const Field& field, int depth) {
    const pb::Reflection& to = *message.GetReflection();
    const bool repeated = field.is_repeated();
    const int size = repeated ? count(message, field) : 0;
    const bool adds = repeated && (size == 0 || below(3) == 0);
    const int at = size > 0 ? static_cast<int>(below(size)) : 0;
    const auto store = [&](auto set_one, auto set_at, auto add, const auto& value) {
      if (!repeated)
        (to.*set_one)(&message, &field, value);
      else if (adds)
        (to.*add)(&message, &field, value);
      else
        (to.*set_at)(&message, &field, at, value);
    };
    using R = pb::Reflection;
    switch (field.cpp_type()) {
      case Field::CPPTYPE_INT32:
        return store(&R::SetInt32, &R::SetRepeatedInt32, &R::AddInt32,
                     static_cast<int32_t>(integer()));
      case Field::CPPTYPE_INT64:
        return store(&R::SetInt64, &R::SetRepeatedInt64, &R::AddInt64, integer());
      case Field::CPPTYPE_UINT32:
        return store(&R::SetUInt32, &R::SetRepeatedUInt32, &R::AddUInt32,
                     static_cast<uint32_t>(integer()));
      case Field::CPPTYPE_UINT64:
        return store(&R::SetUInt64, &R::SetRepeatedUInt64, &R::AddUInt64,
                     static_cast<uint64_t>(integer()));
      case Field::CPPTYPE_FLOAT:
        return store(&R::SetFloat, &R::SetRepeatedFloat, &R::AddFloat,
                     static_cast<float>(number()));
      case Field::CPPTYPE_DOUBLE:
        return store(&R::SetDouble, &R::SetRepeatedDouble, &R::AddDouble, number());
      case Field::CPPTYPE_BOOL:
        return store(&R::SetBool, &R::SetRepeatedBool, &R::AddBool, below(2) == 1);
      case Field::CPPTYPE_ENUM: {
        const pb::EnumDescriptor& type = *field.enum_type();
        return store(&R::SetEnumValue, &R::SetRepeatedEnumValue, &R::AddEnumValue,
                     type.value(static_cast<int>(below(type.value_count())))->number());
      }
      case Field::CPPTYPE_STRING: {
        const std::string value = word(field.name());
        if (!repeated) return to.SetString(&message, &field, value);
        if (adds) return to.AddString(&message, &field, value);
        return to.SetRepeatedString(&message, &field, at, value);
      }
      case Field::CPPTYPE_MESSAGE: {
        if (depth >= kDeepest) return;
        pb::Message& child = !repeated ? *to.MutableMessage(&message, &field)
                             : adds    ? *to.AddMessage(&message, &field)
                                       : *to.MutableRepeatedMessage(&message, &field, at);
        for (size_t times = 1 + below(3); times > 0; --times) change(child, depth + 1);
      }
    }
  }

  int64_t integer() {
    static constexpr int64_t kEdges[] = {-1,
                                         -2,
                                         16,
                                         127,
                                         255,
                                         1000,
                                         65535,
                                         65536,
                                         int64_t{1} << 30,
                                         std::numeric_limits<int32_t>::max(),
                                         std::numeric_limits<int32_t>::min(),
                                         std::numeric_limits<uint32_t>::max(),
                                         int64_t{1} << 32,
                                         int64_t{1} << 62,
                                         std::numeric_limits<int64_t>::max(),
                                         std::numeric_limits<int64_t>::min()};
    return below(3) > 0 ? static_cast<int64_t>(below(9)) : any(kEdges);
  }

  double number() {
    static constexpr double kEdges[] = {0,
                                        1,
                                        -1,
                                        0.5,
                                        0.1,
                                        1e-5,
                                        1e-30,
                                        1e30,
                                        3e38,
                                        -3e38,
                                        1e300,
                                        2,
                                        100,
                                        5,
                                        0.999,
                                        std::numeric_limits<double>::infinity(),
                                        std::numeric_limits<double>::quiet_NaN()};
    return any(kEdges);
  }

  std::string word(const std::string& field) {
    static const std::vector<std::string> kOdd = {
        "",     "a/b",     "a//b",   "a b",     "x\ny",     "\"q\"",    "../x", ".",   "a,b",
        "\xff", "\u00e9",  "data",   "label",   "a\0b",     ".*",       "(",    "[a-", "(a*)*",
        "\\d+", "a{1000}", "(?=a)b", "(a)\\1x", "(.*)*x*z", "conv1/.*", "TRAIN"};
    static const std::vector<std::string> kFillers = {
        "constant", "uniform",         "gaussian", "xavier",
        "msra",     "kaiming_uniform", "bilinear", "positive_unitball"};
    static const std::vector<std::string> kPolicies = {"fixed", "step",   "exp",     "inv",
                                                       "poly",  "cosine", "sigmoid", "multistep"};
    const size_t kind = below(10);
    if (field == "lr_policy" && kind < 8) return any(kPolicies);
    if (field == "type" && kind < 4) return any(layer_types()).name;
    if (field == "type" && kind < 6) return any(branch_types()).name;
    if (field == "type" && kind < 8) return any(kFillers);
    if (kind < 8 && !names_.empty()) return any(names_);
    return any(kOdd);
  }

  std::mt19937 random_;
  std::vector<pb::Message*> messages_;  // all of them
  std::vector<std::string> names_;      // all strings in them
};

}  // namespace

size_t mutate_text(pb::Message& message, uint8_t* data, size_t size, size_t most, unsigned seed) {
  constexpr unsigned kBytesOneIn = 8;
  const pb::LogSilencer silence;
  NoErrors no_errors;
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&no_errors);
  const std::string before(reinterpret_cast<const char*>(data), size);
  if (seed % kBytesOneIn == 0 || !parser.ParseFromString(before, &message))
    return LLVMFuzzerMutate(data, size, most);
  Mutator(seed).mutate(message);
  std::string after;
  pb::TextFormat::PrintToString(message, &after);
  if (after.empty() || after.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::memcpy(data, after.data(), after.size());
  return after.size();
}

}  // namespace orepa::fuzz
