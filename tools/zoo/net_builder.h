// NetBuilder: a plain net, layer by layer. Every function but add() returns the name of the blob
// that its layers make.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "orepa.pb.h"

namespace orepa::zoo {

// Square, on both axes alike.
struct Window {
  int kernel = 1, stride = 1, pad = 0;
};

class NetBuilder {
 public:
  explicit NetBuilder(const std::string& name) { net_.set_name(name); }

  // The reference holds until the next layer is added.
  LayerParameter& add(const std::string& name, const std::string& type,
                      const std::vector<std::string>& bottoms, const std::string& top);

  // Without a bias, BatchNorm and Scale behind it; weights drawn from U(+-1/sqrt(fan_in)).
  std::string convolution_norm(const std::string& name, const std::string& bottom, int outputs,
                               const Window& window, int groups = 1);
  std::string relu(const std::string& name, const std::string& blob);  // in place
  std::string global_average(const std::string& name, const std::string& bottom);
  std::string sum(const std::string& name, const std::string& a, const std::string& b);
  // Weights and biases from U(+-1/sqrt(inputs)).
  std::string linear(const std::string& name, const std::string& bottom, int inputs, int outputs);

  const NetParameter& net() const { return net_; }

 private:
  NetParameter net_;
};

}  // namespace orepa::zoo
