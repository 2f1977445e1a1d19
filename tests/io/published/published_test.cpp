// Checkpoints of the published PyTorch code: both directions, and what does not fit.
#include "orepa/published.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "core/input_file.h"
#include "io/published/published_tensors.h"
#include "orepa/net.h"
#include "orepa/tensor_file.h"
#include "orepa/weights.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/test_device.h"
#include "tests/training.h"
#include "tools/zoo/golden.h"

namespace orepa {
namespace {

// A net with random parameters.
struct Model {
  explicit Model(NetSpec given, uint64_t seed = 1)
      : spec(std::move(given)),
        device(test_device()),
        parameters(*device, seed, false),
        arena(*device),
        net(spec, parameters, arena, {}) {}
  explicit Model(const std::string& layers) : Model(NetSpec::parse(kInput + layers, "net")) {}

  std::vector<std::string> names(const NetSpec* trained = nullptr) const {
    std::vector<std::string> all;
    for (const PublishedTensor& tensor : published_tensors(spec, parameters, trained))
      all.push_back(tensor.name);
    return all;
  }

  static const std::string kInput;
  NetSpec spec;
  std::unique_ptr<Device> device;
  Parameters parameters;
  Arena arena;
  Net net;
};
const std::string Model::kInput =
    "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 1 dim: 8 dim: 6 dim: 6 } "
    "} }\n";

std::string convolution(const std::string& name, const std::string& type, const std::string& shape,
                        const std::string& more = "") {
  return "layer { name: '" + name + "' type: '" + type + "' bottom: 'x' top: '" + name +
         "' convolution_param { num_output: 8 " + shape + " } " + more + " }\n";
}
std::string norm(const std::string& blob, const std::string& name) {
  return "layer { name: '" + name + "' type: 'BatchNorm' bottom: '" + blob + "' top: '" + blob +
         "' }\nlayer { name: '" + name + ".affine' type: 'Scale' bottom: '" + blob + "' top: '" +
         blob + "' scale_param { bias_term: true } }\n";
}
std::string preset(const std::string& name) { return "orepa_param { preset: " + name + " }"; }

const std::string kPlain =
    convolution("stem", "Convolution", "kernel_size: 3 bias_term: false") + norm("stem", "stem.bn");

// A copy of the file in which `change` has had its way with every tensor; where it returns an
// empty name, the tensor is left out.
void rewrite(const std::string& from, const std::string& to,
             const std::function<std::string(std::string, Shape&, std::vector<float>&)>& change) {
  const TensorFileReader in(from);
  TensorFileWriter out;
  for (const std::string& name : in.names()) {
    Shape shape = in.shape(name);
    std::vector<float> values = in.read(name);
    const std::string changed = change(name.substr(1), shape, values);
    if (!changed.empty()) out.write(changed, shape, values);
  }
  out.save(to);
}

class GoldenState : public testing::TestWithParam<std::string> {};

TEST_P(GoldenState, ComesBackAsItWas) {
  const std::string folder = test_folder();
  const TensorFileReader golden(source_file("tests/golden/") + GetParam() + ".h5");
  TensorFileWriter state;
  for (const std::string& name : golden.names("/state"))
    state.write(name.substr(7), golden.shape(name), golden.read(name));
  state.save(folder + "state.h5");

  Model model(zoo::golden_solver(GetParam()).net()), again(zoo::golden_solver(GetParam()).net(), 2);
  import_published(folder + "state.h5", model.spec, model.parameters);
  export_published(folder + "exported.h5", model.spec, model.parameters);
  import_published(folder + "exported.h5", again.spec, again.parameters);
  save_weights(folder + "first.caffemodel", model.spec, model.parameters);
  save_weights(folder + "second.caffemodel", again.spec, again.parameters);
  EXPECT_TRUE(read_file(folder + "first.caffemodel") == read_file(folder + "second.caffemodel"));

  const TensorFileReader exported(folder + "exported.h5");
  size_t known = 0;
  for (const std::string& name : exported.names()) {
    if (name.ends_with(".num_batches_tracked")) continue;  // the golden files do without
    ++known;
    const std::string wanted = "/state" + name;
    ASSERT_TRUE(golden.has(wanted)) << name;
    EXPECT_EQ(exported.shape(name), golden.shape(wanted)) << name;
    std::vector<float> values = golden.read(wanted);
    // The sixth scaling vector of OREPA-VGG's identity blocks belongs to no branch.
    if (name.ends_with("rbr_dense.vector") && golden.shape(wanted)[0] == 6)
      std::fill(values.begin() + values.size() / 6 * 5, values.end(), 0.0f);
    EXPECT_EQ(exported.read(name), values) << name;
  }
  EXPECT_EQ(known, golden.names("/state").size());
}

INSTANTIATE_TEST_SUITE_P(Published, GoldenState, testing::ValuesIn(zoo::golden_names()),
                         [](const auto& info) { return info.param; });

TEST(PublishedCheckpoint, TakesEverySeparator) {
  const std::string folder = test_folder();
  const Model model(kPlain);
  export_published(folder + "dots.h5", model.spec, model.parameters);
  for (const char separator : {'/', '+'}) {
    rewrite(folder + "dots.h5", folder + "other.h5", [&](std::string name, Shape&, auto&) {
      std::replace(name.begin(), name.end(), '.', separator);
      return name;
    });
    Model other(NetSpec::parse(Model::kInput + kPlain, "net"), 2);
    import_published(folder + "other.h5", other.spec, other.parameters);
    for (const auto& parameter : model.parameters.all())
      EXPECT_EQ(other.parameters.read(*other.parameters.find(parameter->layer, parameter->name)),
                model.parameters.read(*parameter))
          << parameter->path() << " after " << separator;
  }
}

// With groups the published code interleaves the rows of one factor; with 2 groups of 4 rows, its
// row j 2 + c is our row c 4 + j.
TEST(PublishedCheckpoint, OrdersTheRowsOfGroups) {
  const std::string folder = test_folder();
  const Model model(convolution(
      "block", "ORepaConv", "kernel_size: 3 pad: 1 group: 2 bias_term: false", preset("OREPA")));
  export_published(folder + "state.h5", model.spec, model.parameters);
  const std::vector<float> theirs =
      TensorFileReader(folder + "state.h5").read("block.weight_orepa_gconv_pw");
  const std::vector<float> ours =
      model.parameters.read(*model.parameters.find("block", "dw_pw.pointwise"));
  const size_t row = ours.size() / 8;
  for (size_t i = 0; i < row; ++i) {
    EXPECT_EQ(theirs[1 * row + i], ours[4 * row + i]);  // j 0, c 1
    EXPECT_EQ(theirs[6 * row + i], ours[3 * row + i]);  // j 3, c 0
  }
}

TEST(PublishedCheckpoint, ListsWhatDoesNotFit) {
  const std::string folder = test_folder(), path = folder + "state.h5";
  Model model(kPlain);
  export_published(folder + "whole.h5", model.spec, model.parameters);
  const std::vector<float> before = model.parameters.read(*model.parameters.find("stem", "weight"));
  rewrite(folder + "whole.h5", path, [](std::string name, Shape& shape, auto& values) {
    if (name == "stem.bn.bias") return std::string("stem.bn.bais");
    if (name == "stem.bn.weight") {
      shape = {9};
      values.resize(9);
    }
    if (name == "stem.conv.weight") std::fill(values.begin(), values.end(), 7.0f);
    return name;
  });
  const std::string error = error_of([&] { import_published(path, model.spec, model.parameters); });
  for (const char* part : {"1 tensors are missing, 1 unused, 1 misshapen",
                           "missing  stem.bn.bias  (the nearest that is unused: stem.bn.bais)",
                           "unused  stem.bn.bais  (the nearest that is missing: stem.bn.bias)",
                           "misshapen  stem.bn.weight: 9 in the file, 8 wanted"})
    EXPECT_NE(error.find(part), std::string::npos) << error;
  EXPECT_EQ(model.parameters.read(*model.parameters.find("stem", "weight")), before);
}

TEST(PublishedCheckpoint, RefusesOtherFiles) {
  const std::string folder = test_folder();
  Model model(kPlain);
  const auto error = [&](const std::string& content) {
    write_file(folder + "state.h5", content);
    return error_of([&] { import_published(folder + "state.h5", model.spec, model.parameters); });
  };
  EXPECT_NE(error("PK\x03\x04 a zip of torch.save").find("torch_to_h5.py"), std::string::npos);
  EXPECT_NE(error("\x80\x02 a pickle of torch.save").find("torch_to_h5.py"), std::string::npos);
  EXPECT_NE(error("text").find("no readable HDF5"), std::string::npos);
}

TEST(PublishedCheckpoint, RefusesNumbersThatMakeAnotherNet) {
  const std::string folder = test_folder(), path = folder + "state.h5";
  const std::string block = convolution(
      "block", "ORepaConv", "kernel_size: 3 pad: 1 bias_term: false", preset("OREPA_VGG"));
  Model model(block);
  export_published(folder + "whole.h5", model.spec, model.parameters);
  const auto error = [&](const std::string& tensor, size_t at, float value) {
    rewrite(folder + "whole.h5", path, [&](const std::string& name, Shape&, auto& values) {
      if (name == tensor) values[at] = value;
      return name;
    });
    return error_of([&] { import_published(path, model.spec, model.parameters); });
  };
  EXPECT_NE(error("block.weight_rbr_prior", 3, 0.5f).find("is a constant"), std::string::npos);
  EXPECT_NE(error("block.vector", 2, NAN).find("diverged"), std::string::npos);
  // The sixth of the scaling vectors belongs to no branch.
  EXPECT_EQ(TensorFileReader(folder + "whole.h5").shape("block.vector"), (Shape{6, 8}));
  EXPECT_EQ(error("block.vector", 5 * 8, NAN), "");
}

TEST(PublishedCheckpoint, NamesMergedConvolutionsAfterTheirBlocks) {
  const std::string one = "kernel_size: 1 bias_term: false",
                    three = "kernel_size: 3 pad: 1 bias_term: false";
  const NetSpec trained = NetSpec::parse(
      Model::kInput + convolution("a", "ORepaConv", three, preset("OREPA")) +
          convolution("b", "ORepaConv", one, preset("OREPA_1X1")) +
          convolution("c", "ORepaConv", "kernel_size: 7 pad: 3", preset("OREPA_LARGE")) +
          convolution("d.dbb_origin", "Convolution", three) +
          convolution("e.rbr_dense", "ORepaConv", three, preset("OREPA_VGG")) +
          convolution("f", "Convolution", one),
      "trained");
  std::string merged;
  for (const char* name : {"a", "b", "c", "d", "e", "f"})
    merged += convolution(name, "Convolution", "kernel_size: 3");
  const Model deploy(merged);
  EXPECT_EQ(deploy.names(&trained),
            (std::vector<std::string>{
                "a.orepa_reparam.weight", "a.orepa_reparam.bias", "b.or1x1_reparam.weight",
                "b.or1x1_reparam.bias", "c.or_large_reparam.weight", "c.or_large_reparam.bias",
                "d.dbb_reparam.weight", "d.dbb_reparam.bias", "e.rbr_reparam.weight",
                "e.rbr_reparam.bias", "f.conv.weight", "f.conv.bias"}));

  const std::string path = test_folder() + "state.h5";
  export_published(path, deploy.spec, deploy.parameters, &trained);
  Model again(NetSpec::parse(Model::kInput + merged, "net"), 2);
  import_published(path, again.spec, again.parameters);
  for (const auto& parameter : deploy.parameters.all())
    EXPECT_EQ(again.parameters.read(*again.parameters.find(parameter->layer, parameter->name)),
              deploy.parameters.read(*parameter));
}

// As the gate of RepVGG-D2se: fully connected here, 1 x 1 convolutions there.
TEST(PublishedCheckpoint, HasSqueezeAndExcitationAsConvolutions) {
  const Model model(
      "layer { name: 'pool' type: 'Pooling' bottom: 'x' top: 'pool' pooling_param { pool: AVE "
      "global_pooling: true } }\nlayer { name: 'stage0.se.down' type: 'InnerProduct' bottom: "
      "'pool' "
      "top: 'down' inner_product_param { num_output: 2 } }\n");
  const auto tensors = published_tensors(model.spec, model.parameters);
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].name, "stage0.se.down.weight");
  EXPECT_EQ(tensors[0].shape, (Shape{2, 8, 1, 1}));
  EXPECT_EQ(tensors[1].name, "stage0.se.down.bias");
  EXPECT_EQ(tensors[1].shape, Shape{2});
}

TEST(PublishedCheckpoint, RefusesWhatIsNoPublishedBlock) {
  const auto error = [](const std::string& layers) {
    const Model model(layers);
    return error_of([&] { model.names(); });
  };
  EXPECT_NE(error(convolution("own", "ORepaConv", "kernel_size: 3",
                              "orepa_param { branch { type: 'kxk' } branch { type: 'avg' } }"))
                .find("no published block has these branches"),
            std::string::npos);
  EXPECT_NE(
      error("layer { name: 's' type: 'Scale' bottom: 'x' top: 's' }").find("no BatchNorm in front"),
      std::string::npos);
}

}  // namespace
}  // namespace orepa
