// The files under models/ are those that tools/zoo writes.
#include "tools/zoo/models.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <regex>

#include "core/input_file.h"
#include "io/text/print_text.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/training.h"
#include "tools/zoo/golden.h"
#include "tools/zoo/solvers.h"

namespace orepa::zoo {
namespace {

namespace fs = std::filesystem;
const fs::path kModels = source_file("models");

TEST(Zoo, FilesAreWhatTheGeneratorWrites) {
  for (const auto& [path, content] : files()) {
    const fs::path file = kModels / path;
    EXPECT_TRUE(fs::exists(file) && read_file(file.string()) == content)
        << "models/" << path << " is not what tools/zoo makes; run `make models` and commit it";
  }
}

TEST(Zoo, NoOtherFilesLieInItsFolders) {
  const std::map<std::string, std::string> made = files();
  std::vector<std::string> folders = {"caffe"};
  for (const Model& model : models()) folders.push_back(model.name);
  for (const std::string& folder : folders)
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(kModels / folder))
      EXPECT_TRUE(entry.is_directory() ||
                  made.contains(fs::relative(entry.path(), kModels).generic_string()))
          << entry.path() << " is not made by tools/zoo";
}

TEST(Zoo, UnknownModelNamesTheNearest) {
  EXPECT_EQ(error_of([] { model("resnet81"); }),
            "the zoo has no model \"resnet81\"; did you mean \"resnet18\"?");
}

// BatchNorm's affine part and biases do not decay in any block; scaling vectors of branches do.
TEST(Zoo, SolversSpareBatchNormAndBiases) {
  for (const std::string& name : golden_names()) {
    const NetSpec net = golden_solver(name).net();
    std::string text = solver(model("resnet18"), "orepa");
    text = std::regex_replace(text, std::regex("\nnet: .*"),
                              "\nnet_param {\n" + print_text(net.proto()) + "}");
    // Its nets have other sources, and so no epochs.
    text =
        std::regex_replace(text, std::regex("\n(warmup|max|test_interval|snapshot)_epoch: .*"), "");
    text = std::regex_replace(text, std::regex("\ntest_state .*"), "") + "max_iter: 1\n";
    const Training run(text);
    std::map<std::string, std::string> types;
    for (const LayerParameter& layer : net.proto().layer()) types[layer.name()] = layer.type();
    int decaying = 0, spared = 0;
    for (const auto& parameter : run->parameters().all()) {
      if (parameter->kind != Parameter::Kind::kLearned) continue;
      const std::string& type = types.at(parameter->layer);
      const bool affine = type == "Scale" || type == "BatchNormPad";
      const bool bias = parameter->name == "bias";
      EXPECT_EQ(parameter->decay_mult, affine || bias ? 0 : 1) << parameter->path();
      EXPECT_EQ(parameter->lr_mult, bias ? 2 : 1) << parameter->path();
      (affine || bias ? spared : decaying)++;
    }
    EXPECT_GE(decaying, 7) << name;
    EXPECT_GE(spared, 13) << name;
  }
}

TEST(Zoo, SolversReadTheirNets) {
  for (const Model& model : models()) {
    for (const std::string& style : model.styles) {
      const NetSpec net = SolverSpec::parse(solver(model, style), "solver.prototxt").net();
      EXPECT_EQ(net.name(), "models/" + model.name + "/" + style + "/train_val.prototxt");
    }
  }
}

}  // namespace
}  // namespace orepa::zoo
