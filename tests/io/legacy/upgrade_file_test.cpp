#include "io/legacy/upgrade_file.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "caffe_legacy.pb.h"
#include "core/input_file.h"
#include "io/weights/stored_blobs.h"
#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa {
namespace {

using google::protobuf::util::MessageDifferencer;

class UpgradeFile : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& content) const {
    write_file(folder_ + name, content);
    return folder_ + name;
  }
  std::string error(const std::string& from, const std::string& to) const {
    const std::string message = error_of([&] { upgrade_file(from, to); });
    EXPECT_FALSE(std::filesystem::exists(to)) << to;
    return message;
  }

  const std::string folder_ = test_folder();
};

TEST_F(UpgradeFile, WritesNetsThatReadBackAsTheSame) {
  for (const char* net : {"golden/caffe/net/legacy_v1_text/net.prototxt",
                          "golden/caffe/net/fcn_deconv_crop/net.prototxt"}) {
    const std::string old = source_file(std::string("tests/") + net), to = folder_ + "new.prototxt";
    EXPECT_EQ(upgrade_file(old, to), "net");
    EXPECT_EQ(read_file(to).find("layers"), std::string::npos);
    EXPECT_TRUE(MessageDifferencer::Equals(NetSpec::read(to).proto(), NetSpec::read(old).proto()));
    const std::string again = folder_ + "again.prototxt";
    upgrade_file(to, again);
    EXPECT_EQ(read_file(again), read_file(to));
  }
}

TEST_F(UpgradeFile, WritesSolversThatReadBackAsTheSame) {
  const std::string old = write("old.prototxt",
                                "# gone\nnet: \"train_val.prototxt\" base_lr: 0.01\n"
                                "solver_type: ADAGRAD lr_policy: \"fixed\" solver_mode: CPU\n");
  EXPECT_EQ(upgrade_file(old, folder_ + "new.prototxt"), "solver");
  EXPECT_EQ(read_file(folder_ + "new.prototxt"),
            "base_lr: 0.01\nlr_policy: \"fixed\"\nsolver_mode: CPU\nnet: \"train_val.prototxt\"\n"
            "type: \"AdaGrad\"\n");
  const std::string inside =
      write("inside.prototxt", "base_lr: 1 net_param { input: \"x\" input_shape { dim: 2 } }");
  EXPECT_EQ(upgrade_file(inside, folder_ + "new.prototxt"), "solver");
  EXPECT_NE(read_file(folder_ + "new.prototxt").find("type: \"Input\""), std::string::npos);
}

void fill(BlobProto& blob, const std::vector<int>& legacy) {
  blob.set_num(legacy[0]);
  blob.set_channels(legacy[1]);
  blob.set_height(legacy[2]);
  blob.set_width(legacy[3]);
  const int count = legacy[0] * legacy[1] * legacy[2] * legacy[3];
  for (int i = 0; i < count; ++i) blob.add_data(0.5f * static_cast<float>(i));
}

// A convolution behind padding and an inner product.
std::string weights(bool v0) {
  V1NetParameter net;
  if (v0) {
    V1LayerParameter* padding = net.add_layers();
    padding->mutable_layer()->set_type("padding");
    padding->mutable_layer()->set_pad(1);
    padding->add_bottom("x");
    padding->add_top("p");
  }
  V1LayerParameter *conv = net.add_layers(), *ip = net.add_layers();
  conv->add_bottom(v0 ? "p" : "x");
  conv->add_top("c");
  if (v0) {
    conv->mutable_layer()->set_name("conv");
    conv->mutable_layer()->set_type("conv");
    ip->mutable_layer()->set_name("ip");
    ip->mutable_layer()->set_type("innerproduct");
  } else {
    conv->set_name("conv");
    conv->set_type(V1LayerParameter::CONVOLUTION);
    conv->mutable_convolution_param()->add_pad(1);
    ip->set_name("ip");
    ip->set_type(V1LayerParameter::INNER_PRODUCT);
  }
  const auto add = [&](V1LayerParameter* layer) {
    return v0 ? layer->mutable_layer()->add_blobs() : layer->add_blobs();
  };
  fill(*add(conv), {2, 3, 3, 3});
  fill(*add(conv), {1, 1, 1, 2});
  fill(*add(ip), {1, 1, 4, 5});
  return net.SerializeAsString();
}

TEST_F(UpgradeFile, WritesWeightsThatReadBackAsTheSame) {
  for (const bool v0 : {false, true}) {
    // Caffe's first models had no ending.
    const std::string old = write(v0 ? "model" : "old.caffemodel", weights(v0)),
                      to = folder_ + "new.caffemodel";
    EXPECT_EQ(upgrade_file(old, to), "weights");
    NetParameter net;
    ASSERT_TRUE(net.ParseFromString(read_file(to)));
    ASSERT_EQ(net.layer_size(), 2);
    EXPECT_EQ(net.layer(0).type(), "Convolution");
    EXPECT_EQ(net.layer(0).bottom(0), "x");
    EXPECT_EQ(net.layer(0).convolution_param().pad(0), 1u);
    EXPECT_EQ(net.layer(1).type(), "InnerProduct");
    const std::vector<StoredBlob> before = read_caffemodel(old), after = read_caffemodel(to);
    ASSERT_EQ(before.size(), 3u);
    ASSERT_EQ(after.size(), before.size());
    for (size_t i = 0; i < before.size(); ++i) {
      EXPECT_EQ(before[i].layer, i < 2 ? "conv" : "ip");
      EXPECT_EQ(before[i].type, i < 2 ? "Convolution" : "InnerProduct");
      EXPECT_EQ(after[i].layer, before[i].layer);
      EXPECT_EQ(after[i].type, before[i].type);
      EXPECT_EQ(after[i].key, before[i].key);
      EXPECT_EQ(after[i].shape, before[i].shape);
      EXPECT_EQ(after[i].values, before[i].values);
    }
    EXPECT_EQ(before[2].shape, (Shape{1, 1, 4, 5}));
    upgrade_file(to, folder_ + "again.caffemodel");
    EXPECT_EQ(read_file(folder_ + "again.caffemodel"), read_file(to));
  }
}

TEST_F(UpgradeFile, SaysWhatIsNoFileOfCaffes) {
  const std::string to = folder_ + "to";
  EXPECT_NE(error(folder_ + "absent", to).find("No such file"), std::string::npos);
  EXPECT_EQ(error(write("text", "hello: 1"), to),
            folder_ +
                "text: is neither the prototxt of a net nor that of a solver; weights are "
                "called NAME.caffemodel");
  EXPECT_EQ(error(write("empty", ""), to).rfind(folder_ + "empty: is neither", 0), 0u);
  EXPECT_EQ(error(write("w.h5", ""), to), folder_ + "w.h5: files of this kind have no older form");
  EXPECT_EQ(error(write("w.caffemodel", weights(false)), to),
            to + ": these are weights: expected NAME.caffemodel");
  EXPECT_EQ(error(write("bad.caffemodel", "layer {}"), folder_ + "to.caffemodel"),
            folder_ + "bad.caffemodel: is no .caffemodel, or it is damaged or cut short");
  EXPECT_EQ(error(write("none.caffemodel", ""), folder_ + "to.caffemodel"),
            folder_ + "none.caffemodel: has no layers");
  EXPECT_EQ(error(write("net", "layer { naem: 1 }"), to),
            folder_ + "net:1:9: unknown field \"naem\" in LayerParameter; did you mean \"name\"?");
  EXPECT_EQ(error(write("both", "solver_type: SGD\ntype: \"SGD\""), to),
            folder_ + "both:1:1: either type or solver_type, its old form, can be given, not both");
  const std::string same = write("same.prototxt", "layer { name: \"a\" }");
  EXPECT_NE(error_of([&] { upgrade_file(same, same); }), "");
  EXPECT_EQ(read_file(same), "layer { name: \"a\" }");
}

}  // namespace
}  // namespace orepa
