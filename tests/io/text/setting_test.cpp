// Fields of solvers and nets that are set from outside their files.
#include <gtest/gtest.h>

#include "core/input_file.h"
#include "orepa.pb.h"
#include "orepa/model_io.h"
#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa {
namespace {

const std::string kSolver = R"(base_lr: 0.1 stepvalue: 3 stepvalue: 5
net_param {
  name: "small"
  layer { name: "data" type: "Data" include { phase: TRAIN } data_param { batch_size: 8 } }
  layer { name: "data" type: "Data" include { phase: TEST } data_param { batch_size: 4 } }
  layer { name: "a/conv.1" type: "Convolution" param { lr_mult: 3 }
          convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
  layer { name: "pool" type: "Pooling" pooling_param { pool: MAX } } })";

SolverSpec with(const std::string& path, const std::string& value) {
  return SolverSpec::parse(kSolver, "solver").with({{path, value, "--set " + path}});
}
const SolverParameter& solver(const SolverSpec& spec) {
  return static_cast<const SolverParameter&>(*spec.options().proto());
}
std::string refusal(const std::string& path, const std::string& value) {
  return error_of([&] { with(path, value); });
}

TEST(Setting, SetsEveryKindOfField) {
  EXPECT_EQ(solver(with("base_lr", "2e-1")).base_lr(), 0.2f);
  EXPECT_EQ(solver(with("max_iter", "7")).max_iter(), 7);
  EXPECT_EQ(solver(with("random_seed", "123456789012")).random_seed(), 123456789012);
  EXPECT_EQ(solver(with("max_epoch", "0.5")).max_epoch(), 0.5);
  EXPECT_EQ(solver(with("tf32", "true")).tf32(), true);
  EXPECT_EQ(solver(with("solver_mode", "CPU")).solver_mode(), SolverParameter::CPU);
  for (const char* value : {"Adam", "\"Adam\"", "'Adam'"})
    EXPECT_EQ(solver(with("type", value)).type(), "Adam");
  EXPECT_EQ(solver(with("snapshot_prefix", "a \"b\" \\ c")).snapshot_prefix(), "a \"b\" \\ c");
  EXPECT_EQ(solver(with("stepvalue", "[4, 6, 8]")).stepvalue_size(), 3);
  EXPECT_EQ(solver(with("stepvalue", "4")).stepvalue_size(), 1);  // not one more
  EXPECT_EQ(solver(with("stepvalue[1]", "6")).stepvalue(1), 6);
  EXPECT_EQ(solver(with("stepvalue[1]", "6")).stepvalue_size(), 2);
  EXPECT_EQ(solver(with("stepvalue[2]", "9")).stepvalue(2), 9);
  EXPECT_EQ(solver(with("weights", "['a', 'b']")).weights(1), "b");
  EXPECT_EQ(solver(with("param_rule[0].name", ".*")).param_rule(0).name(), ".*");
  EXPECT_EQ(solver(with("net_param.layer[pool].name", "p")).net_param().layer(3).name(), "p");
}

TEST(Setting, SetsFieldsOfTheNets) {
  const SolverSpec batch = with("net.layer[data].data_param.batch_size", "64");
  for (const NetSpec& net : {batch.net(), batch.test_nets()[0]})
    for (const int layer : {0, 1})  // that of each phase
      EXPECT_EQ(net.proto().layer(layer).data_param().batch_size(), 64u);
  const auto conv = [](const std::string& field, const std::string& value) {
    return with("net.layer[a/conv.1]." + field, value).net().proto().layer(2);
  };
  EXPECT_EQ(conv("convolution_param.kernel_size[0]", "5").convolution_param().kernel_size(0), 5u);
  EXPECT_EQ(conv("convolution_param.weight_filler", "{ value: 2 }")
                .convolution_param()
                .weight_filler()
                .DebugString(),
            "value: 2\n");
  EXPECT_EQ(conv("param[1].decay_mult", "0").param_size(), 2);
  EXPECT_EQ(conv("type", "ORepaConv").type(), "ORepaConv");
  EXPECT_EQ(with("net.layer[pool].pooling_param.pool", "AVE")
                .net()
                .proto()
                .layer(3)
                .pooling_param()
                .pool(),
            PoolingParameter::AVE);
  // As of a file, in today's words.
  EXPECT_EQ(with("net.layer[pool].pooling_param.ceil_mode", "false")
                .net()
                .proto()
                .layer(3)
                .pooling_param()
                .round_mode(),
            PoolingParameter::FLOOR);
  EXPECT_EQ(with("net.name", "other").net().proto().name(), "other");
}

// Layers that stand for other words of a file have fields, too.
TEST(Setting, SpeaksTheWordsOfTheFileAndThoseOfToday) {
  const SolverSpec solver = SolverSpec::parse(
      "net_param { layer { name: 'bn' type: 'BatchNorm' top: 'y' "
      "batch_norm_param { scale_bias: true } } layer { name: 'plain' type: 'BatchNorm' top: 'z' } "
      "layer { name: 'p' type: 'Pooling' pooling_param { ceil_mode: true } } }",
      "solver");
  const auto net = [&](const std::string& path, const std::string& value) {
    return solver.with({{path, value, "--set " + path}}).net();
  };
  EXPECT_EQ(net("net.name", "n").layers().size(), 4u);
  EXPECT_EQ(net("net.layer[bn].batch_norm_param.scale_bias", "false").layers().size(), 3u);
  const NetSpec more = net("net.layer[plain].batch_norm_param.scale_bias", "true");
  ASSERT_EQ(more.layers().size(), 5u);
  EXPECT_EQ(more.layers()[3].where("name"), "--set net.layer[plain].batch_norm_param.scale_bias");
  const NetSpec fixed = net("net.layer[bn_scale].scale_param.bias_term", "false");
  EXPECT_FALSE(fixed.proto().layer(1).scale_param().bias_term());
  EXPECT_EQ(net("net.layer[p].pooling_param.ceil_mode", "false")
                .proto()
                .layer(3)
                .pooling_param()
                .round_mode(),
            PoolingParameter::FLOOR);
}

uint32_t batch_size(const NetSpec& net, int layer) {
  return net.proto().layer(layer).data_param().batch_size();
}

TEST(Setting, SetsTheLayerOfOnePhase) {
  for (const char* net : {"net", "net_param"}) {
    const SolverSpec train = with(text(net, ".layer[data:TRAIN].data_param.batch_size"), "64"),
                     test = with(text(net, ".layer[data:TEST].data_param.batch_size"), "64");
    EXPECT_EQ(batch_size(train.net(), 0), 64u);
    EXPECT_EQ(batch_size(train.net(), 1), 4u);
    EXPECT_EQ(batch_size(test.net(), 0), 8u);
    EXPECT_EQ(batch_size(test.net(), 1), 64u);
  }
  // A net of one phase has its layers in no other.
  const std::string data = "{ layer { name: 'd' type: 'Data' data_param { batch_size: 2 } } } ";
  const SolverSpec two =
      SolverSpec::parse("train_net_param " + data + "test_net_param " + data, "solver")
          .with({{"net.layer[d:TEST].data_param.batch_size", "64", "--set"}});
  EXPECT_EQ(batch_size(two.net(), 0), 2u);
  EXPECT_EQ(batch_size(two.test_nets()[0], 0), 64u);
  // A colon may be a part of a name.
  const SolverSpec named = SolverSpec::parse("net_param { layer { name: 'd:TRAIN' } }", "solver")
                               .with({{"net.layer[d:TRAIN].type", "ReLU", "--set"}});
  EXPECT_EQ(named.net().proto().layer(0).type(), "ReLU");
}

TEST(Setting, APhaseNamesASingleLayer) {
  EXPECT_EQ(refusal("net.layer[pool:TRAIN].type", "x"),
            "--set net.layer[pool:TRAIN].type: layer \"pool\" is of both phases; leave out :TRAIN, "
            "or write two, with include { phase: TRAIN } and include { phase: TEST }");
  EXPECT_EQ(refusal("net.layer[data:TRIAN].type", "x"),
            "--set net.layer[data:TRIAN].type: there is no layer \"data:TRIAN\"; did you mean "
            "\"data:TRAIN\"?");
  const std::string stage = "layer { name: 'd' include { phase: TRAIN stage: 'a' } } ";
  const auto refusal_of = [&](const std::string& net, const std::string& name) {
    return error_of([&] {
      SolverSpec::parse(net, "solver").with({{"net.layer[" + name + "].type", "x", "--set"}});
    });
  };
  const std::string twice = "net_param { " + stage + stage + "}";
  EXPECT_EQ(refusal_of(twice, "d:TRAIN"),
            "--set: 2 layers are \"d:TRAIN\"; give them names of their own");
  EXPECT_EQ(refusal_of(twice, "d"), "");
  EXPECT_EQ(refusal_of(twice, "d:TEST"), "--set: there is no layer \"d:TEST\"");
}

TEST(Setting, AddsUpAndTheLastOneWins) {
  const SolverSpec spec =
      with("net.name", "x").with({{"base_lr", "3", ""}, {"base_lr", "4", ""}}).with({});
  EXPECT_EQ(solver(spec).base_lr(), 4);
  EXPECT_EQ(spec.net().proto().name(), "x");
}

TEST(Setting, IsInErrorsWhereTheFileWouldBe) {
  const SolverSpec rate = with("base_lr", "nan");
  EXPECT_EQ(error_of([&] { rate.options().number("base_lr"); }),
            "--set base_lr: base_lr is nan; it must be a finite number");
  EXPECT_EQ(with("stepvalue[1]", "0").options().where("stepvalue", 1), "--set stepvalue[1]");
  EXPECT_EQ(with("stepvalue[1]", "0").options().where("stepvalue", 0), "solver:1:14");
  const std::string path = "net.layer[a/conv.1].convolution_param.weight_filler";
  const Options layer = with(path, "{ value: 2 }").net().layers()[2];
  const Options convolution = layer.message("convolution_param");
  EXPECT_EQ(convolution.message("weight_filler").where("value"), "--set " + path);
  EXPECT_EQ(convolution.where("num_output"), "solver:7:31");
}

TEST(Setting, SaysWhatIsWrong) {
  EXPECT_EQ(refusal("bas_lr", "1"),
            "--set bas_lr: unknown field \"bas_lr\" in SolverParameter; did you mean \"base_lr\"?");
  EXPECT_EQ(refusal("net.layer[dat].type", "x"),
            "--set net.layer[dat].type: there is no layer \"dat\"; did you mean \"data\"?");
  EXPECT_EQ(refusal("net.layer[pool].pooling_param.pol", "MAX"),
            "--set net.layer[pool].pooling_param.pol: unknown field \"pol\" in PoolingParameter; "
            "did you mean \"pool\"?");
  EXPECT_EQ(refusal("net.layer[pool].pooling_param.pool", "AVG"),
            "--set net.layer[pool].pooling_param.pool: unknown value \"AVG\" for field \"pool\"; "
            "did you mean \"AVE\"?");
  const auto says = [&](const std::string& path, const std::string& value,
                        const std::string& part) {
    const std::string error = refusal(path, value);
    EXPECT_TRUE(error.starts_with("--set " + path + ": ")) << error;
    EXPECT_NE(error.find(part), std::string::npos) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
  };
  says("base_lr", "fast", "fast");
  says("base_lr", "", "base_lr");
  says("base_lr", "1 momentum: 2", "more than one value");
  says("max_iter", "1.5", "1.5");
  says("base_lr[0]", "1", "no list");
  says("base_lr.x", "1", "has no fields");
  says("stepvalue[9]", "1", "has 2 entries; [2] would be one more");
  says("stepvalue[x]", "1", "no index");
  says("stepvalue[0]", "[1, 2]", "no single entry");
  says("param_rule.name", "x", "say which one, as in param_rule[0]");
  says("net.layer.type", "x", "say which one, as in layer[NAME]");
  says("net.layer[pool]", "{}", "name a field of it");
  says("net.layer[pool.type", "x", "]");
  says("net..name", "x", "no path");
  says("net.layer[pool]x", "x", "stands behind");
  says("net.layer[pool].include", "{ phase: TRIAN }", "TRAIN");
}

TEST(Setting, GivesDataLayersTheirSources) {
  const SolverSpec spec =
      SolverSpec::parse(kSolver, "solver").with_sources("d/t", "d/v", "--data d");
  const NetSpec net = spec.net();
  const auto& layers = net.proto().layer();
  EXPECT_EQ(layers[0].data_param().source(), "d/t");
  EXPECT_EQ(layers[1].data_param().source(), "d/v");
  EXPECT_EQ(net.layers()[0].message("data_param").where("source"), "--data d");
  const auto refusal_of = [](const std::string& net) {
    return error_of([&] {
      SolverSpec::parse("test_interval: 1 " + net, "solver").with_sources("t", "v", "--data d");
    });
  };
  const std::string both = "layer { name: 'd' type: 'Data' } ";
  EXPECT_NE(
      refusal_of("net_param { " + both + "}").find("solver:1:30: layer \"d\" is of both phases"),
      std::string::npos)
      << refusal_of("net_param { " + both + "}");
  EXPECT_EQ(refusal_of("train_net_param { " + both + "} test_net_param { " + both + "}"), "");
  EXPECT_NE(
      refusal_of("train_net_param { " + both + "} test_net_param { layer {} }").find("phase TEST"),
      std::string::npos);
  EXPECT_NE(refusal_of("net_param { layer { type: 'Input' } }").find("phase TRAIN"),
            std::string::npos);
}

TEST(SolverSpec, IsWrittenWithItsNets) {
  const std::string folder = test_folder();
  write_file(folder + "a", "layer { name: 'a' }");
  write_file(folder + "b", "layer { name: 'b' }");
  const SolverSpec spec = SolverSpec::parse(
                              "train_net: 'a' test_net: 'b' base_lr: 0.1 "
                              "test_net_param { layer { name: 'c' } }",
                              folder + "solver")
                              .with({{"net.name", "n", ""}});
  spec.write(folder + "whole", "why");
  std::filesystem::remove(folder + "a");
  std::filesystem::remove(folder + "b");
  const SolverSpec whole = SolverSpec::read(folder + "whole");
  EXPECT_TRUE(read_file(folder + "whole").starts_with("# why\n"));
  EXPECT_EQ(solver(whole).base_lr(), 0.1f);
  EXPECT_EQ(whole.net().proto().layer(0).name(), "a");
  EXPECT_EQ(whole.net().proto().name(), "n");
  ASSERT_EQ(whole.test_nets().size(), 2u);
  EXPECT_EQ(whole.test_nets()[0].proto().layer(0).name(), "c");
  EXPECT_EQ(whole.test_nets()[1].proto().layer(0).name(), "b");
}

}  // namespace
}  // namespace orepa
