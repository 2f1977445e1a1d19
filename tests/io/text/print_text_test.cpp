#include "io/text/print_text.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/input_file.h"
#include "orepa.pb.h"
#include "orepa/model_io.h"
#include "orepa/random.h"
#include "tests/files.h"

namespace orepa {
namespace {

using google::protobuf::util::MessageDifferencer;

NetParameter parsed(const std::string& content) {
  return NetSpec::parse(content, "net.prototxt").proto();
}

TEST(PrintText, WritesOneLineWhereItFits) {
  const std::string content =
      "name: \"net\"\n"
      "layer { name: \"drop\" type: \"Dropout\" dropout_param {} }\n"
      "layer {\n"
      "  name: \"stage1.0.conv1\"\n"
      "  type: \"ORepaConv\"\n"
      "  bottom: \"data\"\n"
      "  top: \"stage1.0.conv1\"\n"
      "  param { lr_mult: 0.1 decay_mult: 0 }\n"
      "  convolution_param { num_output: 64 bias_term: false pad: 1 kernel_size: 3 }\n"
      "  orepa_param { preset: OREPA }\n"
      "}\n";
  EXPECT_EQ(print_text(parsed(content)), content);
}

TEST(PrintText, OpensWhatDoesNotFit) {
  NetParameter net;
  net.set_name("x");
  for (int length = 60; length < 120; ++length) {
    net.clear_layer();
    net.add_layer()->set_name(std::string(length, 'n'));
    const std::string content = print_text(net);
    // layer { name: "" } is 18 columns of its own.
    EXPECT_EQ(content.find("layer {\n  name: ") != std::string::npos, 18 + length > 100) << content;
    EXPECT_TRUE(MessageDifferencer::Equals(parsed(content), net)) << content;
  }
}

TEST(PrintText, NumbersHaveTheFewestDigitsThatReadBackTheSame) {
  const auto slope = [](float value) {
    FillerParameter filler;
    filler.set_slope(value);
    return print_text(filler);
  };
  EXPECT_EQ(slope(0.9f), "slope: 0.9\n");
  EXPECT_EQ(slope(2.236068f), "slope: 2.236068\n");
  EXPECT_EQ(slope(0.0001f), "slope: 0.0001\n");
  EXPECT_EQ(slope(-64), "slope: -64\n");
  SolverParameter solver;
  solver.set_max_epoch(0.1);
  EXPECT_EQ(print_text(solver), "max_epoch: 0.1\n");

  const Random random(3, "numbers");
  NetParameter net;
  for (uint64_t i = 0; i < 2000; ++i) {
    const int exponent = static_cast<int>(random.below(2 * i, 200)) - 100;
    net.add_layer()->add_loss_weight(
        static_cast<float>(std::ldexp(random.normal(2 * i + 1), exponent)));
  }
  net.mutable_layer(0)->add_loss_weight(INFINITY);
  net.mutable_layer(0)->add_loss_weight(-INFINITY);
  EXPECT_TRUE(MessageDifferencer::Equals(parsed(print_text(net)), net));
}

TEST(PrintText, AnyTextReadsBack) {
  NetParameter net;
  net.add_layer()->set_name("\"quoted\"\n\t\\ \xc3\xa9 # not a comment");
  EXPECT_TRUE(MessageDifferencer::Equals(parsed(print_text(net)), net));
}

TEST(PrintText, ACommentStandsInFront) {
  NetParameter net;
  net.set_name("net");
  EXPECT_EQ(print_text(net, "first\n\nthird"), "# first\n#\n# third\nname: \"net\"\n");
  const std::string path = test_folder() + "net.prototxt";
  NetSpec::parse("layer { name: \"a\" }", "net.prototxt").write(path, "What it is");
  EXPECT_EQ(read_file(path), "# What it is\nlayer { name: \"a\" }\n");
}

}  // namespace
}  // namespace orepa
