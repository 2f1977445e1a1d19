// Whatever a prototxt can say is read, refused, or named by docs/prototxt.md as having no effect.
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "core/field_reads.h"
#include "core/input_file.h"
#include "orepa.pb.h"
#include "orepa/tensor_file.h"
#include "tests/data/image_files.h"
#include "tests/data/sources/idx_files.h"
#include "tests/files.h"
#include "tests/layers/check_layer.h"
#include "tests/test_device.h"
#include "tests/training.h"

namespace orepa {
namespace {

namespace pb = google::protobuf;

// By full name, from the rows `| message | fields | why |` of the page.
std::set<std::string> fields_without_effect() {
  const std::string page = read_file(source_file("docs/prototxt.md"));
  std::istringstream lines(page.substr(page.find("## What has no effect")));
  std::set<std::string> names;
  std::string line;
  while (std::getline(lines, line)) {
    std::vector<std::string> quoted;
    std::istringstream parts(line.substr(0, line.rfind('|', line.size() - 2)));
    for (std::string part; line.starts_with("| `") && std::getline(parts, part, '`');)
      quoted.push_back(part);  // every second one stands between backquotes
    for (size_t i = 3; i < quoted.size(); i += 2)
      names.insert("orepa." + quoted[1] + "." + quoted[i]);
  }
  return names;
}

// Builds one of everything, so that all that is ever asked for is asked for.
class Reading {
 public:
  Reading() {
    const std::string folder = test_folder();
    write_file(folder + "images", idx({4, 3, 3}, std::string(36, 'x')));
    write_file(folder + "labels", idx({4}, std::string(4, '\1')));
    const std::string transforms =
        "transform_param { transform { random_crop { size: 3 } } "
        "transform { random_resized_crop { size: 3 } } transform { center_crop { size: 3 } } "
        "transform { flip {} } transform { color_jitter {} } transform { lighting {} } "
        "transform { random_erasing {} } transform { normalize { mean: 1 deviation: 2 } } } ";
    const std::string net = text(R"( {
      layer { name: "data" type: "Data" top: "x" top: "label"
              data_param { source: ")",
                                 folder, R"(images" label_source: ")", folder, R"(labels"
                           backend: IDX batch_size: 2 } }
      layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" param { lr_mult: 2 }
              inner_product_param { num_output: 2 } }
      layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss"
              include { not_stage: "never" } } } )");
    Training(text("net_param", net, "test_net_param", net,
                  "base_lr: 0.1 max_epoch: 1 test_interval: 1 param_rule { name: 'ip/bias' } "
                  "image_size { size: 3 until_iter: 1 }"));
    const auto device = test_device();
    const std::string resize = "transform_param { transform { resize { size: 3 } } } ";
    for (const std::string& param : {transforms, resize})
      LayerBench(*device,
                 text("layer { name: 'data' type: 'Data' top: 'x' ", param,
                      "data_param { source: '", folder, "images' backend: IDX batch_size: 1 } }"),
                 {}, {});
    LayerBench(*device, "layer { type: 'Input' top: 'x' input_param { shape { dim: 1 } } }", {},
               {});
    write_file(folder + "image.png", png_file(Image{{1, 1}, 1, std::vector<unsigned char>(32)}));
    write_file(folder + "list", "image.png 0");
    LayerBench(*device,
               "layer { type: 'ImageData' top: 'x' image_data_param { source: '" + folder +
                   "list' root_folder: '" + folder + "' } }",
               {}, {});
    write_file(folder + "windows", "# 0 image.png 1 1 1 1 1 0.5 0 0 0 0");
    LayerBench(*device,
               "layer { type: 'WindowData' top: 'x' transform_param { crop_size: 1 } "
               "window_data_param { batch_size: 1 fg_fraction: 1 source: '" +
                   folder + "windows' root_folder: '" + folder + "' } }",
               {}, {});
    TensorFileWriter rows;
    rows.write("x", {1, 1}, {1});
    rows.save(folder + "rows.h5");
    write_file(folder + "list", folder + "rows.h5");
    LayerBench(*device,
               "layer { type: 'HDF5Data' top: 'x' hdf5_data_param { batch_size: 1 source: '" +
                   folder + "list' } }",
               {}, {});
    LayerBench(*device,
               "layer { type: 'MemoryData' top: 'x' memory_data_param { batch_size: 1 channels: 1 "
               "height: 1 width: 1 } }",
               {}, {});
    LayerBench(
        *device,
        "layer { type: 'HDF5Output' hdf5_output_param { file_name: '" + folder + "out.h5' } }",
        {{1}, {1}}, {});
    for (std::vector<LayerCase> rows : {layer_cases(), convolution_cases()})
      for (const LayerCase& row : rows) {
        std::vector<Shape> shapes;
        for (const TestInput& input : row.inputs) shapes.push_back(input.shape);
        BenchOptions options;
        options.phase = row.phase;
        options.want_inputs.assign(shapes.size(), true);
        LayerBench(*device, row.layers, shapes, options);
      }
  }
  bool contains(const pb::FieldDescriptor& field) const {
    // Read by orepa_tool: ToolTest.StartsFromTheWeightsThatTheSolverNames, PrintsWhatANetMakes, and
    // which device.
    static const std::set<std::string> tool{
        "orepa.SolverParameter.weights", "orepa.SolverParameter.solver_mode",
        "orepa.SolverParameter.device_id", "orepa.SolverParameter.tf32",
        "orepa.NetParameter.debug_info"};
    return reads_.contains(field) || tool.contains(field.full_name());
  }

 private:
  const FieldReads reads_;
};

TEST(EveryField, IsReadRefusedOrSaidToHaveNoEffect) {
  const Reading reading;
  std::set<std::string> without_effect = fields_without_effect();
  std::vector<const pb::Descriptor*> messages = {SolverParameter::descriptor()};
  for (size_t next = 0; next < messages.size(); ++next)
    for (int i = 0; i < messages[next]->field_count(); ++i) {
      const pb::FieldDescriptor& field = *messages[next]->field(i);
      const bool listed = without_effect.erase(field.full_name()) > 0;
      EXPECT_NE(reading.contains(field), listed)
          << field.full_name()
          << (listed ? " is read, though docs/prototxt.md says that it has no effect"
                     : " is read by nobody: refuse it, or say so in docs/prototxt.md under \"What "
                       "has no effect\"");
      // A LayerParameter's blobs are refused as a whole; of what has no effect, no part has any.
      const pb::Descriptor* type = field.message_type();
      if (!listed && type != nullptr && type != BlobProto::descriptor() &&
          std::find(messages.begin(), messages.end(), type) == messages.end())
        messages.push_back(type);
    }
  EXPECT_GT(messages.size(), 25u);
  for (const std::string& name : without_effect)
    ADD_FAILURE() << "docs/prototxt.md: there is no field " << name << " in a net or solver";
}

}  // namespace
}  // namespace orepa
