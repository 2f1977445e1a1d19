// docs/caffe.md against the list of differences, and each of those against a file that meets it.
#include <gtest/gtest.h>

#include <set>

#include "core/input_file.h"
#include "orepa/model_io.h"
#include "tests/files.h"
#include "tools/caffe_differences.h"

namespace orepa {
namespace {

using tool::Difference;

TEST(CaffePage, HasEveryDifferenceAndNoOther) {
  std::string rows;
  for (const Difference& difference : tool::caffe_differences()) rows += tool::row_of(difference);
  const std::string head = "| of | orepa | because | as in Caffe |\n|---|---|---|---|\n";
  const std::string page = read_file(source_file("docs/caffe.md"));
  const size_t start = page.find(head);
  ASSERT_NE(start, std::string::npos);
  const std::string found =
      page.substr(start + head.size(), page.find("\n\n", start) + 1 - start - head.size());
  EXPECT_EQ(found, rows) << "the table of docs/caffe.md should have these rows";
}

// Which differences a layer meets, by their subjects.
std::multiset<std::string> met_by(const std::string& layer, Phase phase = Phase::kTrain) {
  const NetSpec net = NetSpec::parse("layer { name: 'l' " + layer + " }", "net.prototxt");
  const LayerSpec spec{"l", net.layers()[0].string("type"), net.layers()[0]};
  std::multiset<std::string> met;
  for (const Difference& difference : tool::caffe_differences())
    if (difference.layer != nullptr && difference.layer(spec, phase))
      met.insert(difference.subject);
  return met;
}

std::multiset<std::string> met_by_solver(const std::string& fields) {
  const SolverSpec solver = SolverSpec::parse(fields, "solver.prototxt");
  std::multiset<std::string> met;
  for (const Difference& difference : tool::caffe_differences())
    if (difference.solver != nullptr && difference.solver(solver.options()))
      met.insert(difference.subject);
  return met;
}

using Met = std::multiset<std::string>;

TEST(CaffeDifferences, AreMetByLayers) {
  const Phase test = Phase::kTest;
  EXPECT_EQ(met_by("type: 'Convolution'"), Met{});
  EXPECT_EQ(met_by("type: 'Convolution' convolution_param { engine: CUDNN }"), Met{"engine"});
  EXPECT_EQ(met_by("type: 'ReLU' relu_param { engine: DEFAULT }"), Met{});
  EXPECT_EQ(met_by("type: 'ORepaConv'"), Met{"layers that Caffe 1.0 lacks"});
  EXPECT_EQ(met_by("type: 'Data'"), Met{"Data"});
  EXPECT_EQ(met_by("type: 'Data'", test), Met{});
  EXPECT_EQ(met_by("type: 'Data' data_param { shuffle: false }"), Met{});
  const std::string mirror = " transform_param { mirror: true }";
  EXPECT_EQ(met_by("type: 'ImageData'" + mirror), Met{});
  EXPECT_EQ(met_by("type: 'ImageData'" + mirror, test), Met{"Data, ImageData, WindowData"});
  EXPECT_EQ(met_by("type: 'WindowData'" + mirror), Met{"WindowData"});
  EXPECT_EQ(met_by("type: 'MemoryData'"), Met{"MemoryData"});
  EXPECT_EQ(met_by("type: 'HDF5Output'", test), Met{"HDF5Output"});
  EXPECT_EQ(met_by("type: 'HDF5Data'"), Met{});
  EXPECT_EQ(met_by("type: 'HDF5Data' hdf5_data_param { shuffle: true }"), Met{"HDF5Data"});
  EXPECT_EQ(met_by("type: 'DummyData' dummy_data_param { data_filler { value: 2 } }"), Met{});
  EXPECT_EQ(met_by("type: 'DummyData' dummy_data_param { data_filler { type: 'gaussian' } }"),
            Met{"DummyData"});
  EXPECT_EQ(met_by("type: 'BatchNorm'"), Met{"BatchNorm"});
  EXPECT_EQ(met_by("type: 'BatchNorm'", test), Met{});
  EXPECT_EQ(met_by("type: 'BatchNorm' batch_norm_param { caffe_averaging: true }"), Met{});
  EXPECT_EQ(met_by("type: 'BatchNorm' batch_norm_param { use_global_stats: true }"), Met{});
  EXPECT_EQ(met_by("type: 'Pooling'"), Met{});
  EXPECT_EQ(met_by("type: 'Pooling' pooling_param { pool: STOCHASTIC }"), Met{"Pooling, SPP"});
  EXPECT_EQ(met_by("type: 'SPP' spp_param { pool: STOCHASTIC }"), Met{"Pooling, SPP"});
  EXPECT_EQ(met_by("type: 'Power' power_param { power: 2 }"), Met{});
  EXPECT_EQ(met_by("type: 'Power' power_param { power: 0.5 }"), Met{"Power"});
  EXPECT_EQ(met_by("type: 'LSTM'"), Met{});
  EXPECT_EQ(met_by("type: 'LSTM'", test), Met{"RNN, LSTM"});
  EXPECT_EQ(met_by("type: 'RNN' recurrent_param { expose_hidden: true }"), Met{"RNN, LSTM"});
  EXPECT_EQ(met_by("type: 'Normalize' norm_param { channel_shared: false }"),
            (Met{"Normalize", "layers that Caffe 1.0 lacks"}));
  EXPECT_EQ(met_by("type: 'Threshold'"), Met{"Threshold"});
  EXPECT_EQ(met_by("type: 'BatchReindex'"), Met{"BatchReindex"});
  EXPECT_EQ(met_by("type: 'SoftmaxWithLoss'"), Met{"losses of classes, Accuracy"});
  EXPECT_EQ(met_by("type: 'Accuracy'", test), (Met{"Accuracy", "losses of classes, Accuracy"}));
}

TEST(CaffeDifferences, AreMetByNetsAndSolvers) {
  const auto forced = [](const std::string& text) {
    const NetSpec net = NetSpec::parse(text + " layer { type: 'ReLU' }", "net.prototxt");
    for (const Difference& difference : tool::caffe_differences())
      if (difference.net != nullptr && difference.net(net.options())) return difference.subject;
    return std::string();
  };
  EXPECT_EQ(forced(""), "");
  EXPECT_EQ(forced("force_backward: true"), "force_backward");

  const std::string plain = "solver_mode: CPU random_seed: 1 lr_policy: 'fixed' max_iter: 10 ";
  EXPECT_EQ(met_by_solver(plain), Met{});
  EXPECT_EQ(met_by_solver(""), (Met{"solver_mode", "random_seed", "lr_policy"}));
  EXPECT_EQ(met_by_solver(plain + "test_interval: 5"), Met{"test_iter"});
  EXPECT_EQ(met_by_solver(plain + "test_interval: 5 test_iter: 2"), Met{"test_iter"});
  EXPECT_EQ(met_by_solver(plain + "test_interval: 3 test_iter: 2"),
            (Met{"test_interval", "test_iter"}));
  EXPECT_EQ(met_by_solver(plain + "debug_info: true"), Met{"debug_info"});
  EXPECT_EQ(met_by_solver(plain + "layer_wise_reduce: true"),
            Met{"test_compute_loss, layer_wise_reduce"});
}

}  // namespace
}  // namespace orepa
