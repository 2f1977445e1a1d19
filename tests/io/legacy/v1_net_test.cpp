// Nets of Caffe's V1 and V0 formats, as text.
#include "io/legacy/v1_net.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "core/input_file.h"
#include "io/legacy/layer_types.h"
#include "orepa.pb.h"
#include "orepa/model_io.h"
#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa {
namespace {

using google::protobuf::util::MessageDifferencer;

std::string net_error(const std::string& content) {
  return error_of([&] { NetSpec::parse(content, "net.prototxt"); });
}

void expect_upgraded(const std::string& old, const std::string& today) {
  for (const Unknown unknown : {Unknown::kRefuse, Unknown::kKeep}) {
    const NetSpec upgraded = NetSpec::parse(old, "old", unknown);
    EXPECT_TRUE(MessageDifferencer::Equals(upgraded.proto(), NetSpec::parse(today, "new").proto()))
        << upgraded.proto().DebugString();
  }
}

TEST(V1Net, BecomesWhatCaffeMakesOfIt) {
  const std::string folder = source_file("tests/golden/caffe/net/legacy_v1_text/");
  NetParameter caffes;
  ASSERT_TRUE(caffes.ParseFromString(read_file(folder + "net.caffemodel")));
  for (LayerParameter& layer : *caffes.mutable_layer()) {
    layer.clear_blobs();
    layer.clear_phase();
  }
  NetParameter ours = NetSpec::read(folder + "net.prototxt").proto();
  ours.mutable_layer(0)->set_name("input");  // Caffe's name for all inputs, ours is the blob's
  EXPECT_TRUE(MessageDifferencer::Equals(ours, caffes)) << ours.DebugString();
}

TEST(V1Net, KeepsAllThatItsLayersSay) {
  expect_upgraded(R"(name: "n" force_backward: true state { level: 2 }
    input: "x" input_shape { dim: 4 dim: 3 }
    layers { name: "a" type: INNER_PRODUCT bottom: "x" top: "a" param: "w" param: "b"
             blob_share_mode: PERMISSIVE blobs_lr: 0.5 blobs_lr: 2 weight_decay: 1 weight_decay: 0
             include { phase: TRAIN stage: "s" } exclude { min_level: 3 }
             inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
    layers { name: "l" type: SOFTMAX_LOSS bottom: "a" bottom: "x" top: "l" loss_weight: 0.25
             loss_param { ignore_label: 255 normalize: false } })",
                  R"(name: "n" force_backward: true state { level: 2 }
    input: "x" input_shape { dim: 4 dim: 3 }
    layer { name: "a" type: "InnerProduct" bottom: "x" top: "a"
            param { name: "w" share_mode: PERMISSIVE lr_mult: 0.5 decay_mult: 1 }
            param { name: "b" lr_mult: 2 decay_mult: 0 }
            include { phase: TRAIN stage: "s" } exclude { min_level: 3 }
            inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
    layer { name: "l" type: "SoftmaxWithLoss" bottom: "a" bottom: "x" top: "l" loss_weight: 0.25
            loss_param { ignore_label: 255 normalize: false } })");
}

TEST(V1Net, TransformsImagesInTransformParam) {
  const std::string old = "scale: 0.5 mean_file: \"m\" crop_size: 7 mirror: true";
  for (const auto& [type, name, message] :
       {std::tuple{"DATA", "Data", "data_param"},
        std::tuple{"IMAGE_DATA", "ImageData", "image_data_param"},
        std::tuple{"WINDOW_DATA", "WindowData", "window_data_param"}}) {
    const std::string rest = "source: \"s\" batch_size: 2";
    expect_upgraded(std::string("layers { name: \"d\" type: ") + type + " " + message + " { " +
                        rest + " " + old + " } transform_param { mean_value: 3 } }",
                    std::string("layer { name: \"d\" type: \"") + name + "\" " + message + " { " +
                        rest + " } transform_param { mean_value: 3 " + old + " } }");
  }
}

// A net of V0 had all of this in one message.
TEST(V0Net, KeepsAllThatItsLayersSay) {
  expect_upgraded(R"(name: "n"
    layers { layer { name: "d" type: "data" source: "s" batchsize: 4 scale: 0.5 meanfile: "m"
                     cropsize: 5 mirror: true } top: "x" top: "y" }
    layers { layer { name: "p" type: "padding" pad: 2 } bottom: "x" top: "padded" }
    layers { layer { name: "c" type: "conv" num_output: 6 kernelsize: 5 stride: 2 group: 2
                     biasterm: false weight_filler { type: "gaussian" std: 0.01 }
                     blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0 }
             bottom: "padded" top: "c" }
    layers { layer { name: "p2" type: "padding" pad: 1 } bottom: "c" top: "padded" }
    layers { layer { name: "s" type: "pool" pool: AVE kernelsize: 3 stride: 2 }
             bottom: "padded" top: "s" }
    layers { layer { name: "r" type: "relu" } bottom: "s" top: "s" }
    layers { layer { name: "n" type: "lrn" local_size: 3 alpha: 0.2 beta: 0.5 k: 2 }
             bottom: "s" top: "n" }
    layers { layer { name: "o" type: "dropout" dropout_ratio: 0.3 } bottom: "n" top: "n" }
    layers { layer { name: "j" type: "concat" concat_dim: 0 } bottom: "n" bottom: "s" top: "j" }
    layers { layer { name: "f" type: "innerproduct" num_output: 3 biasterm: true
                     bias_filler { value: 1 } } bottom: "j" top: "f" }
    layers { layer { name: "l" type: "softmax_loss" } bottom: "f" bottom: "y" })",
                  R"(name: "n"
    layer { name: "d" type: "Data" top: "x" top: "y" data_param { source: "s" batch_size: 4 }
            transform_param { scale: 0.5 mean_file: "m" crop_size: 5 mirror: true } }
    layer { name: "c" type: "Convolution" bottom: "x" top: "c"
            param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
            convolution_param { num_output: 6 kernel_size: 5 stride: 2 group: 2 bias_term: false
                                pad: 2 weight_filler { type: "gaussian" std: 0.01 } } }
    layer { name: "s" type: "Pooling" bottom: "c" top: "s"
            pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }
    layer { name: "r" type: "ReLU" bottom: "s" top: "s" }
    layer { name: "n" type: "LRN" bottom: "s" top: "n"
            lrn_param { local_size: 3 alpha: 0.2 beta: 0.5 k: 2 } }
    layer { name: "o" type: "Dropout" bottom: "n" top: "n"
            dropout_param { dropout_ratio: 0.3 } }
    layer { name: "j" type: "Concat" bottom: "n" bottom: "s" top: "j"
            concat_param { concat_dim: 0 } }
    layer { name: "f" type: "InnerProduct" bottom: "j" top: "f"
            inner_product_param { num_output: 3 bias_term: true bias_filler { value: 1 } } }
    layer { name: "l" type: "SoftmaxWithLoss" bottom: "f" bottom: "y" })");
}

TEST(V0Net, KeepsTheSourcesOfImages) {
  expect_upgraded(R"(
    layers { layer { name: "i" type: "images" source: "s" batchsize: 2 shuffle_images: true
                     new_height: 8 new_width: 9 rand_skip: 3 } }
    layers { layer { name: "w" type: "window_data" source: "s" batchsize: 2 det_fg_threshold: 0.6
                     det_bg_threshold: 0.4 det_fg_fraction: 0.3 det_context_pad: 5
                     det_crop_mode: "square" } }
    layers { layer { name: "h" type: "hdf5_output" hdf5_output_param { file_name: "f" } } })",
                  R"(
    layer { name: "i" type: "ImageData"
            image_data_param { source: "s" batch_size: 2 shuffle: true new_height: 8 new_width: 9
                               rand_skip: 3 } }
    layer { name: "w" type: "WindowData"
            window_data_param { source: "s" batch_size: 2 fg_threshold: 0.6 bg_threshold: 0.4
                                fg_fraction: 0.3 context_pad: 5 crop_mode: "square" } }
    layer { name: "h" type: "HDF5Output" hdf5_output_param { file_name: "f" } })");
}

// Whatever a layer of V1 can say is known today under the same name and as the same message.
TEST(V1Net, HasNoFieldsThatAreUnknownToday) {
  const auto* today = LayerParameter::descriptor();
  const auto* old = V1LayerParameter::descriptor();
  const std::set<std::string> others = {"layer",           "type",     "param",
                                        "blob_share_mode", "blobs_lr", "weight_decay"};
  for (int i = 0; i < old->field_count(); ++i) {
    const auto& field = *old->field(i);
    if (others.contains(field.name())) continue;
    const auto* same = today->FindFieldByName(field.name());
    ASSERT_NE(same, nullptr) << field.name();
    EXPECT_EQ(same->cpp_type(), field.cpp_type()) << field.name();
    EXPECT_EQ(same->message_type(), field.message_type()) << field.name();
  }
  const auto* types = V1LayerParameter::LayerType_descriptor();
  for (int i = 0; i < types->value_count(); ++i) {
    const auto type = static_cast<V1LayerParameter::LayerType>(types->value(i)->number());
    EXPECT_EQ(type_of_v1(type).empty(), type == V1LayerParameter::NONE) << types->value(i)->name();
  }
}

TEST(V1Net, FieldsKeepTheirPlaces) {
  const NetSpec net = NetSpec::parse(
      "name: \"n\"\nlayers {\n  bottom: \"x\" bottom: \"y\"\n  type: CONVOLUTION\n"
      "  blobs_lr: 1\n  blobs_lr: 2\n"
      "  convolution_param { num_output: 2\n kernel_size: 3 } }\n"
      "layers { layer {\n name: \"c\" type: \"conv\"\n kernelsize: 3 } top: \"z\" }",
      "net.prototxt");
  const Options v1 = net.layers()[0], v0 = net.layers()[1];
  EXPECT_EQ(v1.where(), "net.prototxt:2:1");
  EXPECT_EQ(v1.where("bottom", 1), "net.prototxt:3:15");
  EXPECT_EQ(v1.where("type"), "net.prototxt:4:3");
  EXPECT_EQ(v1.messages("param")[1].where("lr_mult"), "net.prototxt:6:3");
  EXPECT_EQ(v1.message("convolution_param").where("kernel_size"), "net.prototxt:8:2");
  EXPECT_EQ(v0.where(), "net.prototxt:9:1");
  EXPECT_EQ(v0.where("type"), "net.prototxt:10:12");
  EXPECT_EQ(v0.message("convolution_param").where("kernel_size"), "net.prototxt:11:2");
  EXPECT_EQ(v0.where("top"), "net.prototxt:11:18");
  EXPECT_EQ(net.options().where("name"), "net.prototxt:1:1");
}

TEST(V1Net, SaysWhereItCannotBeRead) {
  EXPECT_EQ(net_error("name: \"n\"\nlayers { type: CONVOLUTON }"),
            "net.prototxt:2:16: unknown value \"CONVOLUTON\" for field \"type\"; did you mean "
            "\"CONVOLUTION\"?");
  EXPECT_EQ(net_error("layers { blob_lr: 1 }"),
            "net.prototxt:1:10: unknown field \"blob_lr\" in V1LayerParameter; did you mean "
            "\"blobs_lr\"?");
  EXPECT_EQ(net_error("layers { type: POOLING pooling_param { pool: AVG } }"),
            "net.prototxt:1:46: unknown value \"AVG\" for field \"pool\"; did you mean \"AVE\"?");
  EXPECT_EQ(
      net_error("layers { name: \"a\" }\nlayer { name: \"b\" }"),
      "net.prototxt:2:1: layer {...} and layers {...}, Caffe's old format, cannot stand in one "
      "file; leave one of them out");
  EXPECT_EQ(net_error("layers {\n layer { type: \"convolution\" } }"),
            "net.prototxt:2:10: Caffe's V0 format has no layer of type \"convolution\"");
  EXPECT_EQ(net_error("layers { layer {\n type: \"relu\"\n kernelsize: 3 } }"),
            "net.prototxt:3:2: kernelsize is nothing that a layer of type \"relu\" has; leave it "
            "out");
  const std::string padding =
      "layers { layer { type: \"padding\" pad: 1 } bottom: \"x\" top: \"p\" }\n";
  EXPECT_EQ(
      net_error(padding + "layers { layer { type: \"relu\" }\nbottom: \"p\" top: \"y\" }"),
      "net.prototxt:3:1: bottom \"p\" is made by a padding layer, which only a conv or a pool "
      "can read, got ReLU");
  EXPECT_EQ(net_error(padding + "layers { layer { type: \"padding\" }\nbottom: \"p\" top: \"y\" }"),
            "net.prototxt:3:1: a padding layer cannot follow on another one");
  EXPECT_EQ(net_error("layers { layer { type: \"padding\" } top: \"y\" }"),
            "net.prototxt:1:1: a padding layer has one bottom and one top");
  EXPECT_EQ(net_error("input: \"x\"\nlayers { name: \"a\" }"),
            "net.prototxt:1:1: every input needs one input_shape, or four input_dim");
}

// Whoever rewrites one writes today's words.
TEST(V1Net, IsWrittenAsANetOfToday) {
  const std::string path = test_folder() + "net.prototxt";
  const NetSpec net = NetSpec::parse("layers { name: \"a\" type: RELU bottom: \"x\" top: \"y\" }",
                                     "old", Unknown::kKeep);
  net.write(path);
  EXPECT_EQ(read_file(path), "layer { name: \"a\" type: \"ReLU\" bottom: \"x\" top: \"y\" }\n");
  EXPECT_EQ(net.unknown_fields().size(), 0u);
}

TEST(V1Net, ThatCannotBeReadIsNeverACrash) {
  const std::string whole =
      read_file(source_file("tests/golden/caffe/net/legacy_v1_text/net.prototxt"));
  for (size_t length = 0; length < whole.size(); ++length) net_error(whole.substr(0, length));
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "layers { ";
  EXPECT_NE(net_error(deep), "");
}

}  // namespace
}  // namespace orepa
