// Nets in the words of other forks of Caffe, read with Unknown::kKeep (tests/io/text/foreign).
#include "io/text/net_text.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/input_file.h"
#include "orepa.pb.h"
#include "orepa/error.h"
#include "orepa/random.h"
#include "orepa/reparam.h"
#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa {
namespace {

using google::protobuf::util::MessageDifferencer;

std::string foreign(const std::string& name) {
  return source_file("tests/io/text/foreign/" + name + ".prototxt");
}

NetSpec kept(const std::string& content) {
  return NetSpec::parse(content, "net.prototxt", Unknown::kKeep);
}

std::string error_of_kept(const std::string& content) {
  return error_of([&] { kept(content); });
}

std::string written(const NetSpec& net) {
  const std::string path = test_folder() + "written.prototxt";
  net.write(path);
  return read_file(path);
}

// A net's text in pieces: every line that starts with a word begins one, with the comments before.
std::vector<std::string> pieces(const std::string& content) {
  std::vector<std::string> pieces = {""};
  bool ended = false;
  for (size_t at = 0; at < content.size();) {
    const size_t end = content.find('\n', at) + 1;
    const std::string line = content.substr(at, end - at);
    const bool comment = line[0] == '#', word = std::isalpha(line[0]) != 0;
    if (ended && (comment || word)) {
      pieces.emplace_back();
      ended = false;
    }
    pieces.back() += line;
    ended = ended || word;
    at = end;
  }
  return pieces;
}

// What no block replaces stands in the result as it stood, in the same order, and nothing else
// does but the blocks.
TEST(ForeignNet, IsWrittenByteForByteOutsideOfItsBlocks) {
  const std::map<std::string, std::vector<std::string>> chains = {
      {"shufflenet", {"conv1", "conv1_bn", "conv1_scale", "resx1_conv3"}},
      {"ssd", {"conv4_3", "loc"}}};
  for (const auto& [name, parts] : chains)
    for (const std::string& style : reparam_styles()) {
      const NetSpec net = NetSpec::read(foreign(name), Unknown::kKeep);
      ReparamReport report;
      std::string result = written(reparam(net, {style, "", ""}, &report));
      std::set<std::string> replaced;
      for (const ReparamReport::Row& row : report.rows)
        for (const std::string& part : parts)
          if (!row.became.empty() &&
              (part == row.layer || (style != "orepa" && part.starts_with(row.layer + "_"))))
            replaced.insert(part);
      EXPECT_GE(replaced.size(), 1u) << name << " " << style;
      size_t from = 0;
      for (const std::string& piece : pieces(read_file(foreign(name)))) {
        const size_t named = piece.find("name: \"") + 7;
        if (replaced.contains(piece.substr(named, piece.find('"', named) - named))) continue;
        const size_t found = result.find(piece, from);
        ASSERT_NE(found, std::string::npos) << style << ": changed\n" << piece << "in\n" << result;
        result.erase(found, piece.size());
        from = found;
      }
      const NetSpec blocks = NetSpec::parse(result, "blocks.prototxt");
      for (const LayerParameter& layer : blocks.proto().layer())
        EXPECT_TRUE(replaced.contains(layer.name().substr(0, layer.name().find('.'))))
            << style << ": " << layer.name();
    }
}

TEST(ForeignNet, ThatNothingReplacesIsWrittenAsItIs) {
  for (const char* name : {"shufflenet", "ssd"}) {
    const NetSpec net = NetSpec::read(foreign(name), Unknown::kKeep);
    EXPECT_EQ(written(net), read_file(foreign(name)));
    EXPECT_EQ(written(net.replaced({})), read_file(foreign(name)));
  }
}

// The text is that of the net.
TEST(NetText, ReadsBackAsTheNetThatItWasWrittenFrom) {
  std::vector<std::string> paths = {foreign("shufflenet"), foreign("ssd"),
                                    source_file("models/fashion_mnist/plain/train_val.prototxt"),
                                    source_file("models/resnet18/plain/train_val.prototxt"),
                                    source_file("models/mobilenet_v1/plain/train_val.prototxt")};
  for (const std::string& path : paths)
    for (const std::string& style : reparam_styles()) {
      const NetSpec net = NetSpec::read(path, Unknown::kKeep);
      const NetSpec blocks = reparam(net, {style, "", ""});
      EXPECT_TRUE(MessageDifferencer::Equals(kept(written(blocks)).proto(), blocks.proto()))
          << path << " " << style;
      // Without its text it becomes the same.
      const std::string unknown = path == foreign("shufflenet") ? "resx1_conv1" : "";
      EXPECT_TRUE(MessageDifferencer::Equals(
          reparam(NetSpec(net.proto()), {style, "", unknown}).proto(), blocks.proto()))
          << path << " " << style;
    }
}

TEST(NetText, KeepsWhatStandsBetweenLayers) {
  const NetSpec net = kept(
      "# head\nname: \"n\";\n# of a\nlayer { name: \"a\" } foo: 1,\n"
      "# of b\nlayer { name: \"b\" }  # behind b\nlayer { name: \"c\" }\n# tail");
  LayerParameter block;
  block.set_name("new");
  EXPECT_EQ(
      written(net.replaced({{0, {block, block}}, {1, {}}})),
      "# head\nname: \"n\";\n# of a\nlayer { name: \"new\" }\nlayer { name: \"new\" } foo: 1,  "
      "# behind b\nlayer { name: \"c\" }\n# tail");
  EXPECT_EQ(written(net.replaced({{2, {}}})),
            "# head\nname: \"n\";\n# of a\nlayer { name: \"a\" } foo: 1,\n"
            "# of b\nlayer { name: \"b\" }\n# tail");
  const NetSpec part = net.without({0, 2});
  ASSERT_EQ(part.layers().size(), 1u);
  EXPECT_EQ(part.layers()[0].where("name"), "net.prototxt:6:9");
}

TEST(NetText, CountsANetsInputsAsLayersInFront) {
  const NetSpec net = kept(
      "input: \"x\" input_dim: 1 input_dim: 1 input_dim: 2 input_dim: 2 "
      "layer { name: \"a\" top: \"a\" shuffle: 3 } layer { name: \"b\" }");
  ASSERT_EQ(net.unknown_fields().size(), 1u);
  EXPECT_EQ(net.layers()[net.unknown_fields()[0].layer].string("name"), "a");
  EXPECT_EQ(written(net.replaced({{2, {}}})),
            "input: \"x\" input_dim: 1 input_dim: 1 input_dim: 2 input_dim: 2 "
            "layer { name: \"a\" top: \"a\" shuffle: 3 }");
}

TEST(NetText, CountsAScaleInABatchNormAsALayerBehindIt) {
  const std::string norm =
      "# of bn\nlayer { name: \"bn\" type: \"BatchNorm\" top: \"y\" "
      "batch_norm_param { scale_bias: true } } ";
  const NetSpec net = kept(norm + "layer { name: \"a\" shuffle: 3 } layer { name: \"b\" }");
  ASSERT_EQ(net.layers().size(), 4u);
  ASSERT_EQ(net.unknown_fields().size(), 1u);
  EXPECT_EQ(net.layers()[net.unknown_fields()[0].layer].string("name"), "a");
  EXPECT_EQ(written(net.replaced({{3, {}}})), norm + "layer { name: \"a\" shuffle: 3 }");
  EXPECT_EQ(written(net.replaced({{0, {}}, {1, {}}})),
            " layer { name: \"a\" shuffle: 3 } layer { name: \"b\" }");
  // One of the two: the other is written out.
  LayerParameter scale = net.proto().layer(1);
  scale.mutable_scale_param()->set_bias_term(false);
  const NetSpec other = net.replaced({{1, {scale}}});
  ASSERT_EQ(other.layers().size(), 4u);
  EXPECT_TRUE(MessageDifferencer::Equals(other.proto().layer(0), net.proto().layer(0)));
  EXPECT_TRUE(MessageDifferencer::Equals(other.proto().layer(1), scale));
  EXPECT_EQ(net.without({0, 1}).layers().size(), 2u);
}

TEST(NetText, SaysWhatItDoesNotKnowAndWhere) {
  const auto unknown = [](const std::string& content) {
    std::string all;
    for (const UnknownField& field : kept(content).unknown_fields())
      all += text(field.layer, " ", field.where.substr(12), " ", field.what, "\n");
    return all;
  };
  EXPECT_EQ(
      unknown("fork: 1 layer { name: \"a\" }\n\tlayer { name: 'b'\n\tshuffle_param { g: 1 } }"),
      "-1 :1:1 unknown field \"fork\" in NetParameter\n"
      "1 :3:9 unknown field \"shuffle_param\" in LayerParameter; did you mean \"scale_param\"?\n");
  EXPECT_EQ(unknown("layer { pooling_param { pool: AVG kernal: 3 } }"),
            "0 :1:31 unknown value \"AVG\" for field \"pool\"; did you mean \"AVE\"?\n"
            "0 :1:35 unknown field \"kernal\" in PoolingParameter; did you mean \"kernel_h\"?\n");
  EXPECT_EQ(unknown("layer { include < phase: TUNE > }"),
            "0 :1:26 unknown value \"TUNE\" for field \"phase\"\n");
  for (const char* field : {"f: 1", "f: -1.5e3f", "f: x", "f: 'a' \"b\"", "f {}", "f: {}",
                            "f < a: '}' >", "f: [1, 2]", "f: [{ a: 1 }, < b { c: [] } >]", "f: 1;",
                            "f { a: 1 # }\n }", "[x.y.z] { a: 1 }", "[x/y]: 1"})
    EXPECT_EQ(kept(text("layer { name: 'a' ", field, " type: 'b' }")).layers()[0].string("type"),
              "b")
        << field;
  EXPECT_EQ(unknown("layer { name: \"a\" phase: 1 top: ['a', 'b'] loss_weight: [1, 2] }"), "");
}

TEST(NetText, RefusesWhatIsMalformed) {
  const std::string cases[][2] = {
      {"layer { fork: }", ":1:9: unknown field"},
      {"layer { fork 1 }", ":1:9: unknown field"},
      {"layer { fork [1] }", ":1:9: unknown field"},
      {"layer { fork { a: 1 }", ":1:22: "},
      {"layer { fork { a: 1", ":1:14: \"{\" is never closed"},
      {"layer { name: 'a' } fork {", ":1:26: \"{\" is never closed"},
      {"layer { fork { a: 1 ] }", ":1:9: unknown field"},
      {"layer { fork: 'cut\n }", ":1:19: "},
      {"layer { name: 'a' name: 'b' }", ":1:19: "},
      {"layer { name: 1 }", ":1:15: "},
      {"layer { 12: 1 }", ":1:9: "},
      {"layer }", ":1:7: "},
      {"}", ":1:1: "},
      {"layer [{ name: 'a' }, { name: 'b' }]", ": has a list of layers"},
      {"fork: 1", ": has no layer {}"},
  };
  for (const auto& [content, error] : cases)
    EXPECT_EQ(error_of_kept(content).rfind("net.prototxt" + error, 0), 0u)
        << content << "\n"
        << error_of_kept(content);
  std::string deep = "layer { orepa_param { ", foreign = "layer { fork { ";
  for (int i = 0; i < 90'000; ++i) {
    deep += "branch { kernel { ";
    foreign += "a { ";
  }
  EXPECT_NE(error_of_kept(deep).find("too deep"), std::string::npos) << error_of_kept(deep);
  EXPECT_NE(error_of_kept(foreign).find("never closed"), std::string::npos);
  std::string unknown = "layer { name: 'a' ";
  for (int i = 0; i < 90'000; ++i) unknown += "f: 1 ";
  EXPECT_NE(error_of_kept(unknown + "}").find("the text is no net"), std::string::npos);
}

// Any damage is read or refused with an Error, and what was read is written as it was.
TEST(NetText, SurvivesDamage) {
  for (const char* name : {"shufflenet", "ssd"}) {
    const std::string whole = read_file(foreign(name));
    const Random random(2, name);
    for (uint64_t i = 0; i < 300; ++i) {
      std::string content = whole;
      const size_t at = random.below(2 * i, whole.size());
      if (i % 3 == 0)
        content.resize(at);
      else
        content[at] = static_cast<char>(random.below(2 * i + 1, 256));
      const std::string error = error_of([&] { EXPECT_EQ(written(kept(content)), content); });
      EXPECT_TRUE(error.empty() || error.starts_with("net.prototxt:")) << error;
    }
  }
}

TEST(ForeignNet, MayStartWithAByteOrderMark) {
  const std::string net = read_file(foreign("ssd"));
  const NetSpec marked = kept("\xef\xbb\xbf" + net);
  EXPECT_EQ(written(reparam(marked, {"orepa", "", ""})),
            written(reparam(kept(net), {"orepa", "", ""})));
}

}  // namespace
}  // namespace orepa
