// Norms of branches that are composed alone, beside those of W where all but one branch are zero.
#include "orepa/branch_scales.h"

#include <gtest/gtest.h>

#include <cmath>

#include "orepa/net.h"
#include "tests/reparam/random_values.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

std::string convolution(const std::string& name, const std::string& param,
                        const std::string& blocks) {
  return "layer { name: '" + name + "' type: 'ORepaConv' bottom: 'x' top: '" + name +
         "' convolution_param { " + param + " } orepa_param { " + blocks + " } }\n";
}

struct Trained {
  explicit Trained(const std::string& layers)
      : spec(NetSpec::parse("layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 1 "
                            "dim: 8 dim: 9 dim: 9 } } }\n" +
                                layers,
                            "net.prototxt")) {
    fill_as_trained(parameters, 3);
  }
  double norm(const std::string& layer) {
    net.prepare();
    double squares = 0;
    for (const float w : parameters.read(*parameters.find(layer, "weight"))) squares += w * w;
    return std::sqrt(squares);
  }
  // That of W with all scales zero but that of `branch`.
  double norm_alone(const std::string& layer, const std::string& branch) {
    std::vector<std::pair<Parameter*, std::vector<float>>> before;
    for (const auto& p : parameters.all()) {
      if (p->layer != layer || !p->name.ends_with(".scale") || p->name == branch + ".scale")
        continue;
      before.emplace_back(p.get(), parameters.read(*p));
      parameters.write(*p, std::vector<float>(before.back().second.size(), 0.0f));
    }
    const double alone = norm(layer);
    for (const auto& [p, values] : before) parameters.write(*p, values);
    return alone;
  }

  const NetSpec spec;
  const std::unique_ptr<Device> device = test_device();
  Parameters parameters{*device, 1, false};
  Arena arena{*device};
  Net net{spec, parameters, arena, {}};
};

void expect_scales(Trained& trained, const LayerBranches& got,
                   const std::vector<std::string>& branches) {
  ASSERT_EQ(got.branches.size(), branches.size()) << got.layer;
  double sum = 0, shares = 0;
  for (size_t b = 0; b < branches.size(); ++b) {
    const BranchScale& scale = got.branches[b];
    EXPECT_EQ(scale.branch, branches[b]);
    const double wanted = trained.norm_alone(got.layer, branches[b]);
    EXPECT_GT(wanted, 0) << got.layer << " " << branches[b];
    EXPECT_NEAR(scale.norm, wanted, 1e-5 * wanted) << got.layer << " " << branches[b];
    sum += scale.norm;
    shares += scale.share;
  }
  EXPECT_NEAR(shares, 1, 1e-9);
  for (const BranchScale& scale : got.branches) EXPECT_NEAR(scale.share, scale.norm / sum, 1e-9);
}

using Names = std::vector<std::string>;
const Names kBlock = {"kxk", "avg", "prior", "1x1_kxk", "1x1", "dw_pw"};

TEST(BranchScales, AreThoseOfEveryBranchComposedAlone) {
  Trained trained(
      convolution("a", "num_output: 12 kernel_size: 3", "preset: OREPA") +
      convolution("grouped", "num_output: 12 kernel_size: 3 group: 4", "preset: OREPA_VGG") +
      convolution("point", "num_output: 6 kernel_size: 1", "preset: OREPA_1X1") +
      "layer { name: 'plain' type: 'Convolution' bottom: 'x' top: 'plain' convolution_param { "
      "num_output: 4 kernel_size: 3 } }\n" +
      convolution("list", "num_output: 6 kernel_size: 5 stride: 2 pad: 2",
                  "branch { type: 'kxk' } branch { type: 'kxk' name: 'more' } branch { type: "
                  "'1x1_kxk' middle_channels: 3 } branch { type: 'dw_pw' expansion: 2 }"));
  const std::vector<LayerBranches> got = branch_scales(trained.spec, trained.parameters);
  ASSERT_EQ(got.size(), 4u);
  EXPECT_EQ(got[0].layer, "a");
  expect_scales(trained, got[0], kBlock);
  EXPECT_EQ(got[1].layer, "grouped");
  expect_scales(trained, got[1], {"kxk", "avg", "prior", "1x1_kxk", "dw_pw"});
  EXPECT_EQ(got[2].layer, "point");
  expect_scales(trained, got[2], {"kxk", "1x1_1x1"});
  EXPECT_EQ(got[3].layer, "list");
  expect_scales(trained, got[3], {"kxk", "more", "1x1_kxk", "dw_pw"});
}

// A branch that is all of W.
TEST(BranchScales, OfChainsAndOfTheIdentity) {
  Trained trained(convolution("chain", "num_output: 6 kernel_size: 7", "preset: OREPA_LARGE") +
                  convolution("plain", "num_output: 6 kernel_size: 5", "preset: LARGE_BASE") +
                  convolution("one", "num_output: 8 kernel_size: 1", "preset: IDENTITY"));
  const std::vector<LayerBranches> got = branch_scales(trained.spec, trained.parameters);
  ASSERT_EQ(got.size(), 3u);
  for (const LayerBranches& layer : got) {
    ASSERT_EQ(layer.branches.size(), 1u);
    const double wanted = trained.norm(layer.layer);
    EXPECT_NEAR(layer.branches[0].norm, wanted, 1e-5 * wanted) << layer.layer;
    EXPECT_EQ(layer.branches[0].share, 1) << layer.layer;
  }
}

TEST(BranchScales, OfAKernelByItsFormula) {
  Trained trained(convolution("a", "num_output: 2 kernel_size: 3",
                              "branch { type: 'kxk' } branch { type: "
                              "'avg' }"));
  const auto read = [&](const std::string& name) {
    return trained.parameters.read(*trained.parameters.find("a", name));
  };
  const std::vector<float> p = read("kxk.weight"), s = read("kxk.scale"), a = read("avg.weight"),
                           t = read("avg.scale");
  double kxk = 0, avg = 0;
  for (size_t i = 0; i < p.size(); ++i) kxk += std::pow(s[i / (8 * 9)] * p[i], 2);
  for (size_t i = 0; i < a.size(); ++i) avg += 9 * std::pow(t[i / 8] * a[i] / 9, 2);
  const std::vector<LayerBranches> got = branch_scales(trained.spec, trained.parameters);
  EXPECT_NEAR(got.at(0).branches.at(0).norm, std::sqrt(kxk), 1e-5);
  EXPECT_NEAR(got.at(0).branches.at(1).norm, std::sqrt(avg), 1e-5);
}

TEST(BranchScales, ABranchOfZerosHasNoShare) {
  Trained trained(convolution("a", "num_output: 2 kernel_size: 3", "branch { type: 'kxk' }"));
  trained.parameters.write(*trained.parameters.find("a", "kxk.scale"), {0, 0});
  const std::vector<LayerBranches> got = branch_scales(trained.spec, trained.parameters);
  EXPECT_EQ(got.at(0).branches.at(0).norm, 0);
  EXPECT_EQ(got.at(0).branches.at(0).share, 0);
}

}  // namespace
}  // namespace orepa
