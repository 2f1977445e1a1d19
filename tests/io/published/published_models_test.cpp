// The models of the zoo have the published models' tensors: every name and shape.
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <map>

#include "core/input_file.h"
#include "io/published/published_tensors.h"
#include "orepa/net.h"
#include "tests/files.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

struct PublishedModel {
  std::string model, style;  // "ResNet-18", "DBB"
  std::string folder;        // of the zoo
};
void PrintTo(const PublishedModel& model, std::ostream* out) { *out << model.folder; }

// What tests/golden/models.json says of the model's parameters: the shape by the name.
std::map<std::string, Shape> published(const PublishedModel& model) {
  Struct all;
  const auto status = google::protobuf::util::JsonStringToMessage(
      read_file(source_file("tests/golden/models.json")), &all);
  EXPECT_TRUE(status.ok()) << status;
  const auto field = [](const Struct& message, const std::string& name) -> const Value& {
    return message.fields().at(name);
  };
  const Struct& style = field(field(all, model.model).struct_value(), model.style).struct_value();
  std::map<std::string, Shape> shapes;
  for (const Value& tensor : field(style, "tensors").list_value().values()) {
    std::vector<int64_t> extents;
    for (const Value& extent : tensor.list_value().values(1).list_value().values())
      extents.push_back(static_cast<int64_t>(extent.number_value()));
    shapes[tensor.list_value().values(0).string_value()] = Shape(std::move(extents));
  }
  return shapes;
}

class PublishedModels : public testing::TestWithParam<PublishedModel> {};

TEST_P(PublishedModels, HaveTheSameTensors) {
  const NetSpec spec =
      NetSpec::read(source_file("models/") + GetParam().folder + "/train_val.prototxt");
  const auto device = test_device();
  Parameters parameters(*device, 1, false);
  Arena arena(*device);
  NetOptions options;
  options.batch_size = 1;
  options.allocate = false;
  const Net net(spec, parameters, arena, options);
  std::map<std::string, Shape> shapes;
  for (const PublishedTensor& tensor : published_tensors(spec, parameters))
    if (!tensor.parts.empty() && tensor.parts[0]->kind == Parameter::Kind::kLearned)
      shapes[tensor.name] = tensor.shape;
  const std::map<std::string, Shape> wanted = published(GetParam());
  ASSERT_GE(wanted.size(), 62u);
  for (const auto& [name, shape] : wanted) {
    ASSERT_TRUE(shapes.contains(name)) << name;
    EXPECT_EQ(shapes[name], shape) << name;
  }
  EXPECT_EQ(shapes.size(), wanted.size());
}

INSTANTIATE_TEST_SUITE_P(Zoo, PublishedModels,
                         testing::Values(PublishedModel{"ResNet-18", "base", "resnet18/plain"},
                                         PublishedModel{"ResNet-18", "DBB", "resnet18/dbb"},
                                         PublishedModel{"ResNet-18", "OREPA", "resnet18/orepa"},
                                         PublishedModel{"ResNet-50", "base", "resnet50/plain"},
                                         PublishedModel{"ResNet-50", "DBB", "resnet50/dbb"},
                                         PublishedModel{"ResNet-50", "OREPA", "resnet50/orepa"},
                                         PublishedModel{"RepVGG-A0", "base", "repvgg_a0/plain"},
                                         PublishedModel{"RepVGG-A0", "RepVGG", "repvgg_a0/repvgg"},
                                         PublishedModel{"RepVGG-A0", "OREPA_VGG",
                                                        "repvgg_a0/orepa_vgg"}),
                         [](const auto& info) {
                           std::string name = info.param.folder;
                           name[name.find('/')] = '_';
                           return name;
                         });

}  // namespace
}  // namespace orepa
