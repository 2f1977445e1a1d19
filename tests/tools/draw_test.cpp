// orepa_tool draw: the text for Graphviz, and pictures by it (of graphviz in .ci/packages.txt).
#include "engine/graph.h"
#include "orepa/layer.h"
#include "tests/tools/tool_fixture.h"
#include "tools/net_drawing.h"

namespace orepa {
namespace {

TEST_F(ToolTest, DrawsANet) {
  make_task(1);
  const std::string drawing = folder_ + "net.dot";
  ASSERT_EQ(run({"draw", "--model", net_, "--output", drawing}), kDone) << output_;
  const std::string text = read_file(drawing);
  const auto has = [&](const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
  };
  has("<b>conv</b><br/>ORepaConv 3 x 3, pad 1<br/><font point-size=\"9\">kxk + avg + prior + "
      "1x1_kxk + 1x1 + dw_pw</font></td></tr>");
  // In place, so in the box of "conv", whose end the next arrow leaves.
  has("<tr><td port=\"p4\" bgcolor=\"#b5e0b0\"><b>relu</b><br/>ReLU</td></tr></table>>]");
  has("n1:p4:s -> n5:p5:n [label=\" 16 x 16 x 8 x 8\"]");
  has("n0:p0:s -> n7:p7:n [label=\" label\\n16\"]");
  has("Pooling MAX 3 x 3, stride 2, pad 1");
  has("[shape=ellipse, style=filled, fillcolor=\"#ffffff\", color=\"#606060\", label=\"loss\"]");
  EXPECT_EQ(text.find("accuracy"), std::string::npos) << "phase TRAIN has none";

  const std::string svg = folder_ + "net.svg";
  ASSERT_EQ(run({"draw", "--model", net_, "--output", svg, "--phase", "TEST"}), kDone) << output_;
  EXPECT_NE(read_file(svg).find("</svg>"), std::string::npos);
  EXPECT_NE(read_file(svg).find(">accuracy</text>"), std::string::npos);
  const std::string png = folder_ + "net.png";
  ASSERT_EQ(run({"draw", "--model", net_, "--output", png}), kDone) << output_;
  EXPECT_EQ(read_file(png).substr(0, 4), "\x89PNG");
  for (const auto& entry : std::filesystem::directory_iterator(folder_))
    EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
}

TEST_F(ToolTest, SaysWhatADrawingNeeds) {
  make_task(1);
  EXPECT_EQ(run({"draw", "--model", net_, "--output", folder_ + "net.jpg"}), kUsage);
  EXPECT_SAYS(".svg");
  environment_ = {"PATH=" + folder_};
  EXPECT_EQ(run({"draw", "--model", net_, "--output", folder_ + "net.svg"}), kFailed);
  EXPECT_SAYS("install graphviz");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "net.svg"));
  EXPECT_EQ(run({"draw", "--model", net_, "--output", folder_ + "net.dot"}), kDone) << output_;
  EXPECT_EQ(run({"draw", "--model", net_, "--output", net_}), kUsage);
}

// Without its data, and of types that are not known.
TEST_F(ToolTest, DrawsWhatIsKnownOfANet) {
  make_task(1);
  std::filesystem::remove(folder_ + "images");
  ASSERT_EQ(run({"draw", "--model", net_, "--output", folder_ + "net.dot"}), kDone);
  EXPECT_SAYS("its source is not there, and the size of its images not known without it");
  EXPECT_SAYS("the shapes of blobs are not drawn: ");
  EXPECT_NE(read_file(folder_ + "net.dot").find("n1:p4:s -> n5:p5:n [label=\" \"]"),
            std::string::npos);

  const std::string foreign = source_file("tests/io/text/foreign/shufflenet.prototxt");
  ASSERT_EQ(run({"draw", "--model", foreign, "--output", folder_ + "net.dot"}), kDone);
  const std::string text = read_file(folder_ + "net.dot");
  EXPECT_NE(text.find("<b>resx1_conv2</b><br/>ConvolutionDepthwise"), std::string::npos) << text;
  EXPECT_NE(text.find("[label=\" 1 x 24 x 7 x 7\"]"), std::string::npos) << text;
}

TEST(Drawing, SaysWhatLayersShareAndQuotesTheirNames) {
  const NetSpec net = NetSpec::parse(R"(
layer { name: "a<b&c" type: "Input" top: "a\"b" input_param { shape { dim: 1 dim: 2 } } }
layer { name: "fc" type: "InnerProduct" bottom: "a\"b" top: "y" param { name: "w" }
  param { name: "v" } }
layer { name: "pool" type: "Pooling" bottom: "y" top: "z" pooling_param { pool: AVE kernel_h: 2
  kernel_w: 3 stride_h: 1 stride_w: 2 } })",
                                     "net.prototxt");
  const std::string text = tool::drawing_of(build_graph(net, {}), "the \"net\"", {});
  for (const std::string part :
       {"label=\"the \\\"net\\\"\"", "<b>a&lt;b&amp;c</b>", "[label=\" a\\\"b\"]", "param w, v",
        "Pooling AVE 2 x 3, stride 1 x 2"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
}

TEST(Drawing, HasALineForEachKernelOfAChain) {
  const NetSpec net = NetSpec::parse(
      "layer { name: 'x' type: 'Input' top: 'x' } layer { name: 'c' type: 'ORepaConv' bottom: 'x' "
      "top: 'c' convolution_param { kernel_size: 5 pad: 2 stride: 2 group: 4 } }",
      "net.prototxt");
  tool::DrawingFacts facts;
  facts.branches = [](const std::string& layer) {
    return layer == "c" ? std::vector<std::string>{"0.kxk", "0.1x1", "1.kxk"}
                        : std::vector<std::string>{};
  };
  const std::string text = tool::drawing_of(build_graph(net, {}), "net", facts);
  EXPECT_NE(text.find("ORepaConv 5 x 5, stride 2, pad 2, 4 groups<br/><font "
                      "point-size=\"9\">0: kxk + 1x1</font><br/><font point-size=\"9\">1: kxk<"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace orepa
