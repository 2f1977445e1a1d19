#include "orepa/net_cache.h"

#include <gtest/gtest.h>

#include "orepa/model.h"
#include "tests/error_of.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

const char* const kNet = R"(
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 16 dim: 8 dim: 8 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv"
  convolution_param { num_output: 16 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool"
  pooling_param { pool: AVE global_pooling: true } }
)";

class Nets : public testing::Test {
 protected:
  static NetSizes sized(const Shape& shape) { return {0, 0, {{"x", shape}}}; }
  std::vector<float> run(Net& net) const {
    std::vector<float> values(static_cast<size_t>(net.shape("x").count()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7) - 3;
    net.set("x", values);
    net.prepare();
    net.forward(0);
    return net.read("pool");
  }

  const NetSpec spec_ = NetSpec::parse(kNet, "net");
  const std::unique_ptr<Device> device_ = test_device();
  Parameters parameters_{*device_, 1, false};
  Arena arena_{*device_};
  NetCache nets_{spec_, parameters_, arena_, inference_options()};
};

TEST_F(Nets, OfAnySizeComputeAsOneOfTheirOwn) {
  run(nets_.first());
  for (const Shape& shape : {Shape{1, 16, 8, 8}, Shape{2, 16, 12, 5}, Shape{3, 16, 3, 3}}) {
    NetOptions options = inference_options();
    options.inputs = {{"x", shape}};
    Model alone(spec_, *device_, options);
    alone.parameters.write(*alone.parameters.find("conv", "weight"),
                           parameters_.read(*parameters_.find("conv", "weight")));
    EXPECT_EQ(run(nets_.of(sized(shape))), run(alone.net)) << shape.str();
  }
}

TEST_F(Nets, ShareTheirPackedKernels) {
  run(nets_.first());
  const int64_t bytes = parameters_.bytes();
  Net& other = nets_.of(sized({1, 16, 8, 8}));
  const int64_t launches = device_->counts().launches;
  other.prepare();
  EXPECT_EQ(device_->counts().launches, launches);
  EXPECT_EQ(parameters_.bytes(), bytes);
  // New values are packed once, by whoever comes first.
  parameters_.touch();
  nets_.first().prepare();
  other.prepare();
  EXPECT_LE(device_->counts().launches, launches + 1);
}

TEST_F(Nets, AreKeptAndForgotten) {
  Net& first = nets_.first();
  EXPECT_EQ(&nets_.of({}), &first);
  const auto sizes = [](int n) { return sized({n, 16, 4, 4}); };
  EXPECT_EQ(&nets_.of(sizes(1)), &nets_.of(sizes(1)));
  for (int n = 2; n <= 20; ++n) nets_.of(sizes(n));
  EXPECT_EQ(&nets_.first(), &first);
  EXPECT_EQ(run(nets_.of(sizes(1))), run(nets_.of(sizes(1))));
}

TEST_F(Nets, ThatCannotBeAreNotKept) {
  for (int i = 0; i < 2; ++i)
    EXPECT_NE(error_of([&] {
                nets_.of(sized({1, 16, 2, 2}));
              }).find("is larger than the padded bottom"),
              std::string::npos);
  EXPECT_EQ(run(nets_.first()).size(), 32u);
}

}  // namespace
}  // namespace orepa
