// Convolutions over other axes than height and width in a whole net.
#include <gtest/gtest.h>

#include <algorithm>

#include "orepa/net.h"
#include "orepa/random.h"
#include "tests/comparison.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

using Values = std::vector<float>;

Values normal(int64_t count) {
  const Random random(5, "pixels");
  Values values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random.normal(i));
  return values;
}

// `keep`: the blob between the two, so that they stay apart.
Values run(const std::string& layers, const Values& x, bool keep = false) {
  const auto device = test_device();
  Parameters parameters(*device, 1, false);
  Arena arena(*device);
  NetOptions options;
  if (keep) options.keep = {"y"};
  Net net(NetSpec::parse(layers, "net.prototxt"), parameters, arena, options);
  net.set("x", x);
  net.prepare();
  net.forward(0);
  return net.read(net.outputs()[0].name);
}

std::string input(const std::string& dims) {
  return "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { " + dims + " } } } ";
}

std::string convolution(const std::string& fields) {
  return "layer { name: 'c' type: 'Convolution' bottom: 'x' top: 'y' convolution_param { "
         "num_output: 4 bias_filler { type: 'constant' value: 0.1 } weight_filler { type: "
         "'gaussian' } " +
         fields + " } } ";
}

TEST(SpatialConvolution, AbsorbsAReLU) {
  const std::string net = input("dim: 2 dim: 3 dim: 4 dim: 5 dim: 4") +
                          convolution("kernel_size: 3 pad: 1") +
                          "layer { name: 'r' type: 'ReLU' bottom: 'y' top: 'z' }";
  const Values x = normal(2 * 3 * 4 * 5 * 4), y = run(net, x);
  EXPECT_EQ(y, run(net, x, true));
  EXPECT_EQ(*std::min_element(y.begin(), y.end()), 0);
  EXPECT_GT(*std::max_element(y.begin(), y.end()), 0);
}

// The same numbers as an image of height 1 and as a space of depth 1.
TEST(SpatialConvolution, IsThatOfAnImage) {
  const Values x = normal(2 * 3 * 6 * 7);
  const Values line = run(input("dim: 2 dim: 3 dim: 42") + convolution("kernel_size: 5 pad: 2"), x);
  const Values strip = run(input("dim: 2 dim: 3 dim: 1 dim: 42") +
                               convolution("kernel_h: 1 kernel_w: 5 pad_h: 0 pad_w: 2"),
                           x);
  EXPECT_EQ(line, strip);
  const Values image = run(input("dim: 2 dim: 3 dim: 6 dim: 7") + convolution("kernel_size: 3"), x);
  const Values space = run(input("dim: 2 dim: 3 dim: 1 dim: 6 dim: 7") +
                               convolution("kernel_size: 1 kernel_size: 3 kernel_size: 3"),
                           x);
  EXPECT_EQ(space, image);
}

}  // namespace
}  // namespace orepa
