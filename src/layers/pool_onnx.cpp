#include "layers/pool_onnx.h"

#include <algorithm>

#include "backend/pool_windows.h"
#include "layers/mean_factors.h"

namespace orepa {

OnnxNode write_pool(const OnnxLayer& layer, PoolMethod method, const PoolingGeometry& g) {
  const PoolWindows rows = PoolWindows::along(g, 0), columns = PoolWindows::along(g, 1);
  const std::vector<OnnxAttribute> attributes{
      {"kernel_shape", onnx_ints(g.kernel)},
      {"strides", onnx_ints(g.stride)},
      {"pads", std::vector<int64_t>{g.pad[0], g.pad[1], rows.end_pad(), columns.end_pad()}}};
  if (method == PoolMethod::kMax) return {"MaxPool", layer.inputs, attributes};

  const OnnxNode mean{"AveragePool", layer.inputs, attributes};
  const auto write = [&](const OnnxNode& node) {
    return layer.before(node.type, node.inputs, node.attributes);
  };
  if (method == PoolMethod::kStochastic) {  // in phase TEST: sum(x x) / sum(x), 0 where that is 0
    const std::string square = layer.before("Mul", {layer.inputs[0], layer.inputs[0]});
    const std::string values = write(mean), squares = write({mean.type, {square}, attributes});
    const std::string zero = layer.constant("zero", {1}, {0});
    return {"Where",
            {layer.before("Greater", {values, zero}), layer.before("Div", {squares, values}), zero},
            {}};
  }
  const std::vector<float> factors = mean_factors(rows, columns);
  if (std::all_of(factors.begin(), factors.end(), [](float factor) { return factor == 1; }))
    return mean;
  const Shape& y = g.output;
  std::vector<float> all;  // of every channel: OpenCV 4.6 spreads numbers over the batch alone
  for (int64_t c = 0; c < y[1]; ++c) all.insert(all.end(), factors.begin(), factors.end());
  return {"Mul", {write(mean), layer.constant("counted", {y[1], y[2], y[3]}, all)}, {}};
}

}  // namespace orepa
