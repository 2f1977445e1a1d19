// docs/prototxt.md against the comments of proto/orepa.proto.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "core/input_file.h"
#include "orepa/model_io.h"
#include "tests/files.h"

namespace orepa {
namespace {

namespace pb = google::protobuf;

constexpr int kFirstOwnNumber = 7700;

// proto/orepa.proto with its comments, which compiled messages do not keep; the build lets protoc
// write it to a file.
class Definition {
 public:
  Definition() {
    pb::FileDescriptorSet files;
    if (files.ParseFromString(read_file(definition_path()))) file_ = pool_.BuildFile(files.file(0));
  }
  // The messages a prototxt can hold, each after those that lead to it.
  std::vector<const pb::Descriptor*> messages() const {
    std::vector<const pb::Descriptor*> found = {file_->FindMessageTypeByName("SolverParameter")};
    for (size_t next = 0; next < found.size(); ++next)
      for (int i = 0; i < found[next]->field_count(); ++i) {
        const pb::Descriptor* type = found[next]->field(i)->message_type();
        if (type != nullptr && std::find(found.begin(), found.end(), type) == found.end())
          found.push_back(type);
      }
    return found;
  }

 private:
  pb::DescriptorPool pool_;
  const pb::FileDescriptor* file_ = nullptr;
};

// The comment in front of a definition, or behind it on its line, as one line.
template <class Descriptor>
std::string comment(const Descriptor& definition) {
  pb::SourceLocation location;
  if (!definition.GetSourceLocation(&location)) return "";
  std::istringstream words(location.leading_comments + location.trailing_comments);
  std::string line, word;
  while (words >> word) line += (line.empty() ? "" : " ") + word;
  return line;
}

std::string type(const pb::FieldDescriptor& field) {
  std::string type = field.is_repeated() ? "repeated " : "";
  if (const pb::EnumDescriptor* choices = field.enum_type()) {
    for (int i = 0; i < choices->value_count(); ++i)
      type += (i > 0 ? ", " : "") + choices->value(i)->name();
  } else {
    type += field.message_type() != nullptr ? field.message_type()->name() : field.type_name();
  }
  pb::FieldDescriptorProto definition;
  field.CopyTo(&definition);
  return definition.has_default_value() ? type + " [" + definition.default_value() + "]" : type;
}

std::string row(const std::string& field, const std::string& type, const std::string& meaning) {
  return "| `" + field + "` | " + type + " | " + meaning + " |\n";
}

// The part of the page about one message; empty where all of it is Caffe's.
std::string section(const pb::Descriptor& message) {
  std::string rows;
  for (int i = 0; i < message.field_count(); ++i) {
    const pb::FieldDescriptor& field = *message.field(i);
    const std::string meaning = comment(field);
    if (!meaning.empty()) rows += row(field.name(), type(field), meaning);
    if (field.enum_type() == nullptr) continue;
    for (int v = 0; v < field.enum_type()->value_count(); ++v) {
      const pb::EnumValueDescriptor& value = *field.enum_type()->value(v);
      if (value.number() >= kFirstOwnNumber)
        rows += row(field.name() + ": " + value.name(), "value", comment(value));
    }
  }
  if (rows.empty()) return "";
  const std::string purpose = comment(message);
  return "### " + message.name() + "\n" + (purpose.empty() ? "" : purpose + "\n") +
         "\n| field | type [default] | meaning |\n|---|---|---|\n" + rows + "\n";
}

TEST(PrototxtPage, SaysWhatTheCommentsOfTheDefinitionSay) {
  const Definition definition;
  const std::string page = read_file(source_file("docs/prototxt.md")) + "\n";
  for (const pb::Descriptor* message : definition.messages()) {
    const std::string expected = section(*message);
    EXPECT_NE(page.find(expected), std::string::npos)
        << "docs/prototxt.md should have this part, word for word:\n"
        << expected;
  }
}

TEST(PrototxtPage, EveryFieldOfOurOwnHasAComment) {
  const Definition definition;
  int own = 0;
  for (const pb::Descriptor* message : definition.messages())
    for (int i = 0; i < message->field_count(); ++i) {
      const pb::FieldDescriptor& field = *message->field(i);
      if (field.number() < kFirstOwnNumber) continue;
      ++own;
      EXPECT_FALSE(comment(field).empty()) << field.full_name();
    }
  EXPECT_GT(own, 15);
}

// Examples of a whole layer or solver are read as they are, others as the inside of a layer.
TEST(PrototxtPage, ItsExamplesAreRead) {
  const std::string page = read_file(source_file("docs/prototxt.md"));
  const std::string fence = "```\n";
  int examples = 0;
  for (size_t at = page.find(fence); at != std::string::npos;) {
    const size_t start = at + fence.size(), end = page.find(fence, start);
    ASSERT_NE(end, std::string::npos);
    const std::string example = page.substr(start, end - start);
    at = page.find(fence, end + fence.size());
    if (example.starts_with("net.prototxt:")) continue;  // an error's message
    ++examples;
    if (example.starts_with("net:"))
      EXPECT_NO_THROW(SolverSpec::parse(example, "example")) << example;
    else if (example.starts_with("layer"))
      EXPECT_NO_THROW(NetSpec::parse(example, "example")) << example;
    else
      EXPECT_NO_THROW(NetSpec::parse("layer {" + example + "}", "example")) << example;
  }
  EXPECT_GE(examples, 4);
}

}  // namespace
}  // namespace orepa
