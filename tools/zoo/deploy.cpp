#include "reparam/deploy.h"

#include "models.h"
#include "orepa/model.h"
#include "reparam/portable_pools.h"

namespace orepa::zoo {
namespace {

// Convolutions take in the BatchNorm and the Scale that NetBuilder puts behind them; its Dropouts,
// which are in place, go.
NetParameter folded(const NetParameter& net) {
  NetParameter made = net;
  made.clear_layer();
  for (const LayerParameter& layer : net.layer()) {
    if (layer.type() == "BatchNorm")
      made.mutable_layer(made.layer_size() - 1)->mutable_convolution_param()->set_bias_term(true);
    else if (layer.type() != "Scale" && layer.type() != "Dropout")
      *made.add_layer() = layer;
  }
  return made;
}

}  // namespace

NetSpec deploy(const Model& model, const std::string& style, const Task& task) {
  // Every style is made from the plain net, so it merges back into that.
  const NetSpec plain = train_val(model, "plain", task);
  const std::unique_ptr<Device> device = make_device("cpu");
  NetOptions options;
  options.precision = DType::kFloat32;
  options.allocate = false;
  options.batch_size = 1;
  const orepa::Model built(plain, *device, options);
  const auto shape_of = [&](const std::string& blob) { return built.net.shape(blob); };
  const NetParameter merged = portable_pools(folded(test_layers(plain)), shape_of);
  NetParameter made = portable(with_input(merged, shape_of));
  made.set_name(model.name + "_" + style);
  return NetSpec(made, made.name());
}

}  // namespace orepa::zoo
