// Parameters that several layers share by name: a net with them is one without whose layers have
// the same values, and whose gradients are added up.
#include <gtest/gtest.h>

#include <map>

#include "orepa/net.h"
#include "orepa/random.h"
#include "orepa/tensor_file.h"
#include "orepa/weights.h"
#include "tests/comparison.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

using Gradients = std::map<std::string, std::vector<float>>;

std::vector<float> normal(int64_t count, const std::string& purpose) {
  const Random random(5, purpose);
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random.normal(i));
  return values;
}

// Two towers of different sizes, with a convolution, blocks and an InnerProduct of which `names`
// says whether they are shared.
std::string towers(bool shared, const std::string& second_params = "") {
  const auto names = [&](const std::string& name, int count) {
    std::string params;
    for (int i = 0; i < count; ++i)
      params += text(" param { name: \"", name, i, "\" ", name == "c" ? "lr_mult: 2 " : "", "}");
    return shared ? params : std::string();
  };
  const int factors = 15;  // of the preset OREPA at 3 x 3, and the bias
  std::string net;
  for (const std::string tower : {"a", "b"}) {
    const int size = tower == "a" ? 6 : 9;
    const std::string convolution =
        " convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: \"msra\" } "
        "}";
    net += text(
        "layer { name: \"x", tower, "\" type: \"Input\" top: \"x", tower,
        "\" input_param { shape { dim: 2 dim: 4 dim: ", size, " dim: ", size, " } } }\n",
        "layer { name: \"c", tower, "\" type: \"Convolution\" bottom: \"x", tower, "\" top: \"c",
        tower, "\"", names("c", 2), tower == "b" ? second_params : "", convolution, " }\n",
        "layer { name: \"o", tower, "\" type: \"ORepaConv\" bottom: \"c", tower, "\" top: \"o",
        tower, "\"", names("o", factors), convolution, " orepa_param { preset: OREPA } }\n",
        "layer { name: \"p", tower, "\" type: \"Pooling\" bottom: \"o", tower, "\" top: \"p", tower,
        "\" pooling_param { pool: AVE global_pooling: true } }\n", "layer { name: \"i", tower,
        "\" type: \"InnerProduct\" bottom: \"p", tower, "\" top: \"i", tower, "\"", names("i", 2),
        " inner_product_param { num_output: 3 weight_filler { type: \"xavier\" } } }\n");
  }
  return net +
         "layer { name: \"sum\" type: \"Eltwise\" bottom: \"ia\" bottom: \"ib\" top: \"sum\" }\n"
         "layer { name: \"t\" type: \"Input\" top: \"t\" input_param { shape { dim: 2 } } }\n"
         "layer { name: \"loss\" type: \"SoftmaxWithLoss\" bottom: \"sum\" bottom: \"t\" "
         "top: \"loss\" }\n";
}

class SharingTest : public testing::Test {
 protected:
  struct Run {
    Run(const SharingTest& test, const std::string& net, Phase phase = Phase::kTrain)
        : device(*test.device_), parameters(device, 1, true), arena(device) {
      add(net, phase);
    }
    Net& add(const std::string& text, Phase phase) {
      NetOptions options;
      options.phase = phase;
      if (text.find("\"ib\"") != std::string::npos) options.keep = {"ib"};
      nets.push_back(
          std::make_unique<Net>(NetSpec::parse(text, "net.prototxt"), parameters, arena, options));
      for (const Net::Blob& input : nets.back()->inputs())
        nets.back()->set(input.name, input.name == "t" ? std::vector<float>{0, 2}
                                                       : normal(input.shape.count(), input.name));
      return *nets.back();
    }
    // Of one step, whose gradients are complete when they are told of.
    Gradients step(int passes) {
      Net& net = *nets[0];
      parameters.begin_step();
      net.prepare();
      std::map<const Parameter*, int> told;
      const Net::Written written = [&](const std::vector<Parameter*>& complete) {
        for (const Parameter* parameter : complete) ++told[parameter];
      };
      for (int i = 0; i < passes; ++i) {
        net.forward(0);
        loss = net.loss();
        net.backward(i == passes - 1 ? written : nullptr);
      }
      Gradients gradients;
      net.finish([&](const std::vector<Parameter*>& learned) {
        for (const Parameter* parameter : learned) {
          EXPECT_FALSE(gradients.contains(parameter->path())) << "updated twice";
          gradients[parameter->path()] = read_tensor(device, parameter->gradient);
        }
      });
      for (const auto& parameter : parameters.all())
        if (parameter->gradient) {
          EXPECT_EQ(told[parameter.get()], 1) << parameter->path();
        }
      return gradients;
    }
    Device& device;
    Parameters parameters;
    Arena arena;
    std::vector<std::unique_ptr<Net>> nets;
    double loss = 0;  // of the last pass
  };

  std::unique_ptr<Device> device_ = test_device();
};

TEST_F(SharingTest, GradientsAreThoseOfAllLayersAddedUp) {
  for (const int passes : {1, 2}) {
    Run shared(*this, towers(true)), apart(*this, towers(false));
    for (const auto& parameter : apart.parameters.all()) {
      if (parameter->kind == Parameter::Kind::kDerived) continue;
      std::string first = parameter->layer;
      first.back() = 'a';
      const Parameter* own = shared.parameters.find(parameter->layer, parameter->name);
      ASSERT_NE(own, nullptr) << parameter->path();
      EXPECT_EQ(own->layer, first);
      apart.parameters.write(*parameter, shared.parameters.read(*own));
    }
    EXPECT_EQ(2 * shared.parameters.all().size(), apart.parameters.all().size());
    const Gradients of_all = shared.step(passes), of_each = apart.step(passes);
    EXPECT_EQ(shared.loss, apart.loss);
    EXPECT_EQ(2 * of_all.size(), of_each.size());
    for (const auto& [path, gradient] : of_all) {
      std::string other = path;
      other[1] = 'b';
      std::vector<float> sum = of_each.at(path);
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += of_each.at(other)[i];
      // Rounding of sums in another order, some of which cancel.
      expect_close(gradient, sum, 1e-5, path, 1e-3);
    }
  }
}

TEST_F(SharingTest, ATestNetMayHaveTheSecondLayerAlone) {
  Run run(*this, towers(true));
  const std::string both = towers(true);
  const size_t second = both.find("layer { name: \"xb\""), end = both.find("layer { name: \"sum\"");
  Net& test = run.add(both.substr(second, end - second), Phase::kTest);
  const size_t parameters = run.parameters.all().size();
  test.prepare();
  test.forward(0);
  const std::vector<float> alone = test.read("ib");
  run.nets[0]->prepare();
  run.nets[0]->forward(0);
  EXPECT_EQ(run.parameters.all().size(), parameters);
  EXPECT_EQ(alone, run.nets[0]->read("ib"));
}

TEST_F(SharingTest, OneLayerMaySayMultipliersForAll) {
  std::string net = towers(true);
  const size_t first = net.find("lr_mult: 2"), other = net.find("lr_mult: 2", net.find("\"cb\""));
  ASSERT_LT(first, other);
  EXPECT_EQ(Run(*this, std::string(net).erase(first, 10)).parameters.find("ca", "weight")->lr_mult,
            2);
  EXPECT_EQ(Run(*this, std::string(net).erase(other, 10)).parameters.find("cb", "weight")->lr_mult,
            2);
  EXPECT_EQ(error_of([&] { Run(*this, net.replace(other, 10, "lr_mult: 3")); }),
            "net.prototxt:7:63: layer \"cb\" (Convolution): parameter \"c0\" has lr_mult 3 here, "
            "but 2 in another "
            "layer that shares it; give it once, or the same in all of them");
}

TEST_F(SharingTest, FilesHaveThemInAllLayersOrInTheFirst) {
  Run run(*this, towers(true));
  const std::string folder = test_folder();
  const NetSpec spec = NetSpec::parse(towers(true), "net.prototxt");
  for (const std::string name : {"w.caffemodel", "w.h5", "w.caffemodel.h5"}) {
    save_weights(folder + name, spec, run.parameters);
    Run other(*this, towers(true));
    for (const auto& parameter : other.parameters.all())
      if (parameter->kind != Parameter::Kind::kDerived)
        other.parameters.write(*parameter, std::vector<float>(parameter->value.count(), 7));
    const WeightsReport report = load_weights({folder + name}, other.parameters, true);
    EXPECT_EQ(report.count(WeightsReport::Status::kLoaded), 19) << name;
    for (const auto& parameter : other.parameters.all())
      if (parameter->kind != Parameter::Kind::kDerived) {
        EXPECT_EQ(other.parameters.read(*parameter),
                  run.parameters.read(*run.parameters.find(parameter->layer, parameter->name)));
      }
    // A net that does not share has a place for each.
    Run apart(*this, towers(false));
    const auto missing = load_weights({folder + name}, apart.parameters, false)
                             .count(WeightsReport::Status::kMissing);
    EXPECT_EQ(missing, name == "w.caffemodel" ? 0 : 19) << name;
  }
}

TEST_F(SharingTest, RefusesWhatDoesNotFit) {
  const auto second = [&](const std::string& layer) {
    const std::string net =
        "layer { name: \"x\" type: \"Input\" top: \"x\" input_param { shape { dim: 2 dim: 4 dim: 5 "
        "dim: 5 } } }\nlayer { name: \"one\" type: \"Convolution\" bottom: \"x\" top: \"one\" "
        "param "
        "{ name: \"w\" } convolution_param { num_output: 4 kernel_size: 3 pad: 1 bias_term: false "
        "} "
        "}\nlayer { name: \"two\" bottom: \"one\" top: \"two\" " +
        layer + " }";
    return error_of([&] { Run(*this, net); });
  };
  const std::string wide = "convolution_param { num_output: 2 kernel_size: 3 bias_term: false }";
  EXPECT_NE(second("type: \"Convolution\" param { name: \"w\" } " + wide)
                .find("layer \"two\": shares its \"weight\", 2 x 4 x 3 x 3, as param \"w\" with "
                      "\"weight\" of layer \"one\", which is 4 x 4 x 3 x 3; they have to be alike"),
            std::string::npos);
  EXPECT_NE(second("type: \"Convolution\" param { name: \"w\" share_mode: PERMISSIVE } " + wide)
                .find("which is 4 x 4 x 3 x 3, not as many numbers"),
            std::string::npos);
  EXPECT_NE(second("type: \"InnerProduct\" param { name: \"w\" share_mode: PERMISSIVE } "
                   "inner_product_param { num_output: 1 axis: 1 bias_term: false }")
                .find("not as many numbers"),
            std::string::npos);
  EXPECT_NE(second("type: \"Convolution\" param { name: \"w\" share_mode: PERMISSIVE } "
                   "convolution_param { num_output: 36 kernel_size: 1 bias_term: false }")
                .find("kernels larger than 1 x 1 are shared with those of their own shape"),
            std::string::npos);
  // The second block has the first one's kernel of one branch, and others of its own.
  const auto block = [](const std::string& name, const std::string& bottom) {
    return "layer { name: \"" + name + "\" type: \"ORepaConv\" bottom: \"" + bottom + "\" top: \"" +
           name +
           "\" param { name: \"v\" } convolution_param { num_output: 4 kernel_size: 3 pad: 1 "
           "bias_term: false } orepa_param { preset: OREPA } }\n";
  };
  EXPECT_NE(
      error_of([&] {
        Run(*this,
            "layer { name: \"x\" type: \"Input\" top: \"x\" input_param { shape { dim: 2 dim: 4 "
            "dim: 5 dim: 5 } } }\n" +
                block("one", "x") + block("two", "one"));
      }).find("layer \"two\" (ORepaConv): shares 1 of the 14 blobs that make its weight"),
      std::string::npos);
}

// As many numbers in another shape, which lie in the same order.
TEST_F(SharingTest, ShapesMayDifferWhereThatIsPermitted) {
  Run run(
      *this,
      "layer { name: \"x\" type: \"Input\" top: \"x\" input_param { shape { dim: 2 dim: 6 } } }\n"
      "layer { name: \"y\" type: \"Input\" top: \"y\" input_param { shape { dim: 2 dim: 3 } } }\n"
      "layer { name: \"one\" type: \"InnerProduct\" bottom: \"x\" top: \"one\" param { name: \"w\" "
      "} inner_product_param { num_output: 2 bias_term: false weight_filler { type: \"xavier\" } } "
      "}\nlayer { name: \"two\" type: \"InnerProduct\" bottom: \"y\" top: \"two\" param { name: "
      "\"w\" share_mode: PERMISSIVE } inner_product_param { num_output: 4 bias_term: false } }",
      Phase::kTest);
  Net& net = *run.nets[0];
  net.prepare();
  net.forward(0);
  const std::vector<float> w = run.parameters.read(*run.parameters.find("two", "weight")),
                           y = normal(6, "y");
  std::vector<double> expected;
  for (int n = 0; n < 2; ++n)
    for (int o = 0; o < 4; ++o) {
      expected.push_back(0);
      for (int k = 0; k < 3; ++k) expected.back() += double{w[o * 3 + k]} * y[n * 3 + k];
    }
  expect_close(net.read("two"), expected, 1e-6, "two");
}

}  // namespace
}  // namespace orepa
