// Nets and solvers as text: what is read, what is written, and what bad files get.
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>

#include "core/input_file.h"
#include "orepa.pb.h"
#include "orepa/error.h"
#include "orepa/model_io.h"
#include "orepa/random.h"
#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa {
namespace {

using google::protobuf::util::MessageDifferencer;

// The message of the Error that reading `content` throws; empty where it is read.
std::string net_error(const std::string& content) {
  return error_of([&] { NetSpec::parse(content, "net.prototxt"); });
}

std::string solver_error(const std::string& content) {
  return error_of([&] { SolverSpec::parse(content, "solver.prototxt").net(); });
}

TEST(Prototxt, NamesTheNearestField) {
  EXPECT_EQ(
      net_error("layer {\n  convolution_param { kernal_size: 3 }\n}"),
      "net.prototxt:2:23: unknown field \"kernal_size\" in ConvolutionParameter; did you mean "
      "\"kernel_size\"?");
  EXPECT_EQ(net_error("layer { zzzzzzzzzzzz: 3 }"),
            "net.prototxt:1:9: unknown field \"zzzzzzzzzzzz\" in LayerParameter");
  EXPECT_EQ(solver_error("base_lr: 1\nlr_polcy: \"fixed\""),
            "solver.prototxt:2:1: unknown field \"lr_polcy\" in SolverParameter; did you mean "
            "\"lr_policy\"?");
}

TEST(Prototxt, NamesTheNearestValue) {
  EXPECT_EQ(net_error("layer { pooling_param { pool: AVG } }"),
            "net.prototxt:1:31: unknown value \"AVG\" for field \"pool\"; did you mean \"AVE\"?");
  EXPECT_EQ(net_error("layer { orepa_param { preset: OREPA_VG } }"),
            "net.prototxt:1:31: unknown value \"OREPA_VG\" for field \"preset\"; did you mean "
            "\"OREPA_VGG\"?");
  EXPECT_EQ(net_error("layer { pooling_param { pool: 17 } }"),
            "net.prototxt:1:31: unknown value \"17\" for field \"pool\"");
  EXPECT_EQ(net_error("layer {\n\tinclude { phase: TRIAN  # not at the end of the next line\n\n}}"),
            "net.prototxt:2:26: unknown value \"TRIAN\" for field \"phase\"; did you mean "
            "\"TRAIN\"?");
}

TEST(Prototxt, ASolverHoldsNoNetOfCaffesOldFormat) {
  EXPECT_EQ(solver_error("net_param {\n layers { name: \"c\" type: CONVOLUTION } }"),
            "solver.prototxt:2:2: a net of Caffe's old format (layers {...}) cannot stand in a "
            "solver; write it into a file of its own and name that with `net`, or upgrade it with "
            "`orepa_tool upgrade`");
}

// As Caffe itself upgrades it: whoever wrote three param {} says what they are.
TEST(Prototxt, StatisticsOfABatchNormAreNotLearned) {
  const auto params = [](const std::string& type, const std::string& given) {
    std::string said;
    const NetSpec net = NetSpec::parse("layer { type: '" + type + "' " + given + " }", "net");
    for (const ParamSpec& param : net.proto().layer(0).param())
      said += text(param.lr_mult(), "/", param.decay_mult(), " ");
    return said;
  };
  const std::string three = "param { lr_mult: 2 } param {} param { decay_mult: 3 }";
  EXPECT_EQ(params("BatchNorm", three), "0/0 0/0 0/0 ");
  EXPECT_EQ(params("BatchNorm", "param { lr_mult: 2 }"), "2/1 ");
  EXPECT_EQ(params("Bias", three), "2/1 1/1 1/3 ");
}

// Of NVIDIA's and Intel's Caffe, for what has a Scale behind it.
TEST(Prototxt, AScaleInABatchNormIsALayerBehindIt) {
  const auto read = [](const std::string& fields) {
    return NetSpec::parse("layer { name: 'bn' type: 'BatchNorm' bottom: 'x' top: 'y' " + fields +
                              " }\nlayer { name: 'r' type: 'ReLU' bottom: 'y' top: 'z' }",
                          "net.prototxt")
        .proto();
  };
  const auto expect_equal = [&](const std::string& given, const std::string& norm,
                                const std::string& scale) {
    NetParameter written = read(norm);
    *written.add_layer() = NetSpec::parse(
                               "layer { name: 'bn_scale' type: 'Scale' bottom: 'y' "
                               "top: 'y' " +
                                   scale + " }",
                               "scale")
                               .proto()
                               .layer(0);
    written.mutable_layer()->SwapElements(1, 2);
    EXPECT_TRUE(MessageDifferencer::Equals(read(given), written)) << given;
  };
  expect_equal("batch_norm_param { scale_bias: true eps: 2 }", "batch_norm_param { eps: 2 }",
               "scale_param { bias_term: true }");
  expect_equal("batch_norm_param { use_weight_bias: true }", "batch_norm_param {}",
               "scale_param { bias_term: true }");
  expect_equal("batch_norm_param { scale_filler { value: 2 } bias_filler { value: 3 } }",
               "batch_norm_param {}",
               "scale_param { filler { value: 2 } bias_term: true bias_filler { value: 3 } }");
  expect_equal("batch_norm_param { bias_filler { value: 3 } }", "batch_norm_param {}",
               "scale_param { bias_term: true bias_filler { value: 3 } }");
  // Its param {} are five; the statistics are not learned, however few are given.
  expect_equal(
      "param { lr_mult: 1 } param {} param { lr_mult: 0 } param { lr_mult: 2 } "
      "param { decay_mult: 0 } batch_norm_param { scale_bias: true }",
      "param { lr_mult: 0 decay_mult: 0 } param { lr_mult: 0 decay_mult: 0 } "
      "param { lr_mult: 0 decay_mult: 0 } batch_norm_param {}",
      "param { lr_mult: 2 } param { decay_mult: 0 } scale_param { bias_term: true }");
  expect_equal("param { lr_mult: 1 } batch_norm_param { scale_bias: true }",
               "param { lr_mult: 0 decay_mult: 0 } batch_norm_param {}",
               "scale_param { bias_term: true }");
  expect_equal("include { phase: TRAIN } batch_norm_param { scale_bias: true }",
               "include { phase: TRAIN } batch_norm_param {}",
               "include { phase: TRAIN } scale_param { bias_term: true }");
  for (const char* none : {"scale_bias: false", "use_weight_bias: false"})
    EXPECT_TRUE(MessageDifferencer::Equals(read(text("batch_norm_param { ", none, " }")),
                                           read("batch_norm_param {}")))
        << none;
  EXPECT_EQ(
      net_error("layer { type: 'BatchNorm' batch_norm_param { scale_bias: true\n"
                "use_weight_bias: true } }"),
      "net.prototxt:2:1: use_weight_bias is of Intel's Caffe, scale_bias and scale_filler are "
      "of NVIDIA's; leave out what is of one of them");
}

TEST(Prototxt, ALayerThatWasPutInStandsWhereItWasSaid) {
  const NetSpec net = NetSpec::parse(
      "layer { name: 'bn' type: 'BatchNorm' top: 'y'\n param {} param {} param {}\n"
      " param { lr_mult: 2 }\n batch_norm_param {\n  scale_bias: true\n"
      "  scale_filler { type: 'none' } } }\nlayer { name: 'r' }",
      "net.prototxt");
  const Options scale = net.layers()[1];
  EXPECT_EQ(scale.string("name"), "bn_scale");
  EXPECT_EQ(scale.where(), "net.prototxt:5:3");
  EXPECT_EQ(scale.where("name"), "net.prototxt:5:3");
  EXPECT_EQ(scale.messages("param")[0].where("lr_mult"), "net.prototxt:3:10");
  EXPECT_EQ(scale.message("scale_param").where("bias_term"), "net.prototxt:5:3");
  EXPECT_EQ(scale.message("scale_param").message("filler").where("type"), "net.prototxt:6:18");
  EXPECT_EQ(net.layers()[2].where("name"), "net.prototxt:7:9");
  // And so in a copy.
  const NetSpec copy = net.with([](NetParameter& changed) { changed.set_name("copy"); });
  EXPECT_EQ(copy.layers()[1].where("name"), "net.prototxt:5:3");
  EXPECT_EQ(copy.layers()[1].message("scale_param").message("filler").where("type"),
            "net.prototxt:6:18");
  EXPECT_EQ(copy.layers()[2].where("name"), "net.prototxt:7:9");
}

// Of forks of Caffe, where it stands for round_mode.
TEST(Prototxt, CeilModeIsRoundMode) {
  const auto pool = [](const std::string& fields) {
    return NetSpec::parse("layer { pooling_param { kernel_size: 3 " + fields + " } }",
                          "net.prototxt")
        .proto()
        .layer(0)
        .pooling_param();
  };
  EXPECT_EQ(pool("").round_mode(), PoolingParameter::CEIL);
  EXPECT_EQ(pool("ceil_mode: true").round_mode(), PoolingParameter::CEIL);
  EXPECT_EQ(pool("ceil_mode: false").round_mode(), PoolingParameter::FLOOR);
  EXPECT_EQ(pool("round_mode: FLOOR ceil_mode: false").round_mode(), PoolingParameter::FLOOR);
  EXPECT_FALSE(pool("ceil_mode: false").has_ceil_mode());  // one word for one thing from here on
  EXPECT_EQ(
      net_error("layer { pooling_param { round_mode: CEIL\nceil_mode: false } }"),
      "net.prototxt:2:1: ceil_mode: false contradicts round_mode: CEIL; leave one of them out");
  EXPECT_NE(
      solver_error("net_param { layer { pooling_param { round_mode: FLOOR ceil_mode: true } } }")
          .find("ceil_mode: true contradicts round_mode: FLOOR"),
      std::string::npos);
}

// Of forks of Caffe, for what has a group a channel.
TEST(Prototxt, DepthwiseConvolutionIsAConvolution) {
  const auto groups = [](const std::string& fields) {
    const NetSpec net =
        NetSpec::parse("layer { type: \"DepthwiseConvolution\" convolution_param { num_output: 6 " +
                           fields + " } }",
                       "net.prototxt");
    EXPECT_EQ(net.proto().layer(0).type(), "Convolution");
    return net.proto().layer(0).convolution_param().group();
  };
  EXPECT_EQ(groups(""), 6u);
  EXPECT_EQ(groups("group: 1"), 6u);
  EXPECT_EQ(groups("group: 6"), 6u);
  EXPECT_EQ(groups("group: 3"), 3u);
}

TEST(Prototxt, PointsAtWhatCannotBeRead) {
  const std::string cases[][2] = {
      {"layer { name: \"a\"", "1:18: "},                               // cut off
      {"layer { name: \"a", "1:17: "},                                 // inside a text
      {"layer { name: Convolution }", "1:15: "},                       // no quotation marks
      {"layer {\n convolution_param { num_output: -1 } }", "2:34: "},  // negative
      {"layer { convolution_param { num_output: 1.5 } }", "1:41: "},
      {"layer { convolution_param { num_output: 99999999999 } }", "1:41: "},
      {"layer { convolution_param { bias_term: maybe } }", "1:40: "},
      {"layer { name: \"a\" name: \"b\" }", "1:19: "},  // twice
      {"layer }", "1:7: "},
      {"\x01\x02\xff", "1:1: "},
      {"layer { clip_param { min: 0 } }", " "},  // a required field is missing
  };
  for (const auto& [content, place] : cases)
    EXPECT_EQ(net_error(content).rfind("net.prototxt:" + place, 0), 0u) << content << "\n"
                                                                        << net_error(content);
}

TEST(Prototxt, MayStartWithAByteOrderMark) {
  EXPECT_EQ(net_error("\xef\xbb\xbflayer {}"), "");
  EXPECT_EQ(net_error("\xef\xbb\xbflayer { naem: 1 }").find("net.prototxt:1:9: "), 0u);
  EXPECT_EQ(net_error(std::string("\xff\xfel\0a\0", 6)),
            "net.prototxt: is text in UTF-16; save it as UTF-8");
}

TEST(Prototxt, ASolverSaysWhereItNamesWhatIsNoNet) {
  const auto error = [](const std::string& net) {
    return error_of(
        [&] { SolverSpec::parse("base_lr: 1\nnet: '" + net + "'", "solver.prototxt").net(); });
  };
  EXPECT_EQ(error("."), "solver.prototxt:2:1: net \".\" is a folder, not a prototxt");
  EXPECT_EQ(error("no.prototxt"),
            "solver.prototxt:2:1: net \"no.prototxt\" is neither in the working directory nor "
            "beside the solver");
}

TEST(Prototxt, NetsInsideASolverKeepTheirPlaces) {
  const SolverSpec solver = SolverSpec::parse(
      "base_lr: 1\nnet_param {\n  input: 'a' input_shape { dim: 1 }\n layer {\n  name: 'x' } }\n"
      "test_net_param {\n layer { name: 'y' } }",
      "solver.prototxt");
  EXPECT_EQ(solver.net().layers()[1].where("name"), "solver.prototxt:5:3");
  EXPECT_EQ(solver.test_nets()[0].layers()[0].where(), "solver.prototxt:7:2");
  // As long as the net itself, if the solver is gone.
  std::optional<SolverSpec> gone(SolverSpec::parse("net_param { layer { name: 'z' } }", "s"));
  const NetSpec net = gone->net();
  gone.reset();
  EXPECT_EQ(net.layers()[0].where("name"), "s:1:21");
}

TEST(Prototxt, WithoutLayersIsRefused) {
  EXPECT_EQ(net_error(""), "net.prototxt: has no layer {}");
  EXPECT_EQ(net_error("name: \"nothing\""), "net.prototxt: has no layer {}");
}

// Whoever parses recursively must stop before the stack ends.
TEST(Prototxt, TooDeepIsRefused) {
  std::string content = "layer { orepa_param { ";
  for (int i = 0; i < 90'000; ++i) content += "branch { kernel { ";
  EXPECT_NE(net_error(content).find("too deep"), std::string::npos) << net_error(content);
}

TEST(Prototxt, HugeNamesAreRefusedLikeOthers) {
  const std::string name(1'000'000, 'x');
  EXPECT_NE(net_error("layer { " + name + ": 1 }").find("unknown field"), std::string::npos);
  EXPECT_NE(net_error("layer { phase: " + name + " }").find("unknown value"), std::string::npos);
}

// Any cut and any damaged byte is read or refused with an Error, and nothing else happens.
TEST(Prototxt, DamagedFilesNeverDoHarm) {
  const std::string whole =
      read_file(source_file("models/fashion_mnist/orepa/train_val.prototxt")).substr(0, 1500);
  const Random random(1, "damage");
  for (uint64_t i = 0; i < 300; ++i) {
    std::string damaged = whole;
    const size_t at = random.below(2 * i, whole.size());
    if (i % 3 == 0)
      damaged.resize(at);
    else
      damaged[at] = static_cast<char>(random.below(2 * i + 1, 256));
    const std::string error = net_error(damaged);
    EXPECT_TRUE(error.empty() || error.rfind("net.prototxt:", 0) == 0) << error;
  }
}

TEST(Prototxt, FilesThatCannotBeReadSayWhy) {
  const std::string folder = test_folder();
  EXPECT_THROW(NetSpec::read(folder), Error);
  EXPECT_THROW(NetSpec::read(""), Error);
  EXPECT_THROW(NetSpec::read(folder + std::string(5000, 'x')), Error);
  EXPECT_EQ(error_of([&] { NetSpec::read(folder + "none.prototxt"); }),
            folder + "none.prototxt: cannot be read: No such file or directory");
}

TEST(Prototxt, ReadsBackWhatItWrote) {
  const std::string copy = test_folder() + "copy.prototxt";
  int nets = 0;
  for (const std::string& folder : {source_file("models"), source_file("tests/golden/caffe")})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      const std::string path = entry.path().string();
      if (path.ends_with("solver.prototxt")) {
        EXPECT_NO_THROW(SolverSpec::read(path)) << path;
      } else if (path.ends_with(".prototxt")) {
        const NetSpec net = NetSpec::read(path);
        net.write(copy);
        EXPECT_TRUE(MessageDifferencer::Equals(net.proto(), NetSpec::read(copy).proto())) << path;
        ++nets;
      }
    }
  EXPECT_GT(nets, 30);
}

TEST(NetInputs, BecomeInputLayersInFront) {
  const NetSpec net = NetSpec::parse(R"(
    input: "a" input_shape { dim: 2 dim: 3 }
    input: "b" input_shape { dim: 4 }
    layer { name: "sum" type: "Eltwise" })",
                                     "net.prototxt");
  const std::vector<Options> layers = net.layers();
  ASSERT_EQ(layers.size(), 3u);
  EXPECT_EQ(layers[0].string("type"), "Input");
  EXPECT_EQ(layers[0].strings("top"), std::vector<std::string>{"a"});
  EXPECT_EQ(layers[0].message("input_param").messages("shape")[0].integers("dim"),
            (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(layers[1].strings("top"), std::vector<std::string>{"b"});
  EXPECT_EQ(layers[2].string("name"), "sum");
  EXPECT_EQ(layers[2].where(), "net.prototxt:4:5");
}

TEST(NetInputs, TakeFourDimensionsEach) {
  const NetSpec net = NetSpec::parse(
      "input: \"a\" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 9 layer {}", "net.prototxt");
  EXPECT_EQ(net.layers()[0].message("input_param").messages("shape")[0].integers("dim"),
            (std::vector<int64_t>{1, 3, 8, 9}));
}

TEST(NetInputs, NeedTheirShapes) {
  EXPECT_EQ(net_error("name: \"n\"\ninput: \"a\" input_dim: 1 layer {}"),
            "net.prototxt:2:1: every input needs one input_shape, or four input_dim");
  EXPECT_NE(net_error("input: \"a\" input: \"b\" input_shape {} layer {}"), "");
  EXPECT_NE(net_error("input_shape {} layer {}"), "");
  EXPECT_NE(net_error("input: \"a\" input_shape { dim: 1 } input_dim: 1 input_dim: 1 input_dim: 1 "
                      "input_dim: 1 layer {}"),
            "");
}

TEST(SolverNet, IsOneOfFourForms) {
  EXPECT_EQ(solver_error("base_lr: 1"),
            "solver.prototxt: exactly one of net, train_net, net_param and train_net_param is "
            "needed, 0 are given");
  EXPECT_NE(solver_error("net: \"a\" train_net: \"b\"").find("2 are given"), std::string::npos);
  EXPECT_EQ(solver_error("net_param { layer {} }"), "");
  EXPECT_EQ(solver_error("train_net_param { layer {} }"), "");
}

TEST(SolverNet, IsLookedForBesideTheSolver) {
  const std::string folder = test_folder();
  write_file(folder + "net.prototxt", "name: \"beside\" layer {}");
  write_file(folder + "test.prototxt", "name: \"for tests\" layer {}");
  write_file(folder + "solver.prototxt", "net: \"net.prototxt\" test_net: \"test.prototxt\"");
  const SolverSpec solver = SolverSpec::read(folder + "solver.prototxt");
  EXPECT_EQ(solver.net().proto().name(), "beside");
  EXPECT_EQ(solver.test_nets()[0].proto().name(), "for tests");
}

TEST(SolverNet, OfTestsIsTheTrainingNetByDefault) {
  const SolverSpec solver =
      SolverSpec::parse("net_param { name: \"only\" layer {} }", "solver.prototxt");
  EXPECT_EQ(solver.test_nets()[0].proto().name(), "only");
}

TEST(SolverNet, ThatIsMissingIsPointedAt) {
  EXPECT_EQ(solver_error("base_lr: 1\nnet: \"none.prototxt\""),
            "solver.prototxt:2:1: net \"none.prototxt\" is neither in the working directory nor "
            "beside the solver");
  EXPECT_NE(solver_error("net: \"" + std::string(4000, 'x') + "\"").find("is neither"),
            std::string::npos);
}

// Each is refused before it takes more than a few times its own memory.
TEST(Prototxt, IsNoLargerThanAnyNet) {
  std::string layers;
  for (int i = 0; i < 200'001; ++i) layers += "layer{}";
  EXPECT_EQ(net_error(layers),
            "net.prototxt: has 200001 messages ({), more than the 200000 that a prototxt may have");
  EXPECT_EQ(net_error(std::string((16 << 20) + 1, ' ')),
            "net.prototxt: has 16777217 bytes, more than the 16777216 that a prototxt may have");
  const std::string huge(1'000'000, 'x');
  EXPECT_EQ(net_error("layer {\n name: \"" + huge + "\" }"),
            "net.prototxt:2:2: name has 1000000 bytes; no name, path or pattern may have more than "
            "4096");
  EXPECT_LT(net_error("layer { " + huge + ": 1 }").size(), 400u);
  EXPECT_LT(net_error("layer { name: " + huge + " }").size(), 400u);
}

}  // namespace
}  // namespace orepa
