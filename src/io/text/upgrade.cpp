#include "io/text/upgrade.h"

#include <map>

#include "core/positions.h"
#include "orepa.pb.h"
#include "orepa/error.h"
#include "orepa/options.h"

namespace orepa {
namespace {

// Of a message that outlives it.
Options options_of(const google::protobuf::Message& message) {
  return Options({std::shared_ptr<void>(), &message}, nullptr);
}

void upgrade_inputs(NetParameter& net, const std::string& where) {
  const Options options = options_of(net);
  const int inputs = options.size("input"), extents = options.size("input_dim");
  const bool shapes = options.has("input_shape");
  require(shapes ? options.size("input_shape") == inputs && extents == 0 : extents == 4 * inputs,
          where, ": every input needs one input_shape, or four input_dim");
  for (int i = net.input_size() - 1; i >= 0; --i) {
    LayerParameter* layer = net.add_layer();
    layer->set_name(net.input(i));
    layer->set_type("Input");
    layer->add_top(net.input(i));
    BlobShape* shape = layer->mutable_input_param()->add_shape();
    if (shapes)
      *shape = net.input_shape(i);
    else
      for (int d = 0; d < 4; ++d) shape->add_dim(net.input_dim(4 * i + d));
    for (int l = net.layer_size() - 1; l > 0; --l) net.mutable_layer()->SwapElements(l, l - 1);
  }
  net.clear_input();
  net.clear_input_shape();
  net.clear_input_dim();
}

void upgrade_pool(PoolingParameter& pool, const std::string& where) {
  const auto mode = pool.ceil_mode() ? PoolingParameter::CEIL : PoolingParameter::FLOOR;
  require(!pool.has_round_mode() || pool.round_mode() == mode, where,
          ": ceil_mode: ", pool.ceil_mode() ? "true" : "false",
          " contradicts round_mode: ", PoolingParameter::RoundMode_Name(pool.round_mode()),
          "; leave one of them out");
  pool.set_round_mode(mode);
  pool.clear_ceil_mode();
}

// Once their owners had to say that a BatchNorm's statistics are not learned.
void upgrade_statistics(LayerParameter& layer) {
  if (layer.type() != "BatchNorm" || layer.param_size() != 3) return;
  for (ParamSpec& statistic : *layer.mutable_param()) {
    statistic.set_lr_mult(0);
    statistic.set_decay_mult(0);
  }
}

// Forks of Caffe have a type for what one with a group a channel is.
void upgrade_depthwise(LayerParameter& layer) {
  ConvolutionParameter& convolution = *layer.mutable_convolution_param();
  layer.set_type("Convolution");
  if (convolution.group() <= 1) convolution.set_group(convolution.num_output());
}

}  // namespace

void upgrade(NetParameter& net, const std::string& name, const Positions* positions) {
  const auto where = [&](const google::protobuf::Message& message, const char* field) {
    return positions == nullptr ? name : positions->where(message, field, 0);
  };
  upgrade_inputs(net, where(net, net.input_size() > 0 ? "input" : "input_shape"));
  for (LayerParameter& layer : *net.mutable_layer()) {
    if (options_of(layer.pooling_param()).has("ceil_mode"))
      upgrade_pool(*layer.mutable_pooling_param(), where(layer.pooling_param(), "ceil_mode"));
    upgrade_statistics(layer);
    if (layer.type() == "DepthwiseConvolution") upgrade_depthwise(layer);
  }
}

void upgrade(SolverParameter& solver, const std::string& name, const Positions& positions) {
  const std::shared_ptr<const Positions> places(std::shared_ptr<void>(), &positions);
  if (solver.has_solver_type())
    solver.set_type(type_of_solver(Options({std::shared_ptr<void>(), &solver}, places)));
  solver.clear_solver_type();
  if (solver.has_net_param()) upgrade(*solver.mutable_net_param(), name, &positions);
  if (solver.has_train_net_param()) upgrade(*solver.mutable_train_net_param(), name, &positions);
  for (NetParameter& net : *solver.mutable_test_net_param()) upgrade(net, name, &positions);
}

std::string type_of_solver(const Options& solver) {
  require(!solver.has("type") || !solver.has("solver_type"), solver.where("solver_type"),
          ": either type or solver_type, its old form, can be given, not both");
  static const std::map<std::string, std::string> old_names = {
      {"SGD", "SGD"},         {"NESTEROV", "Nesterov"}, {"ADAGRAD", "AdaGrad"},
      {"RMSPROP", "RMSProp"}, {"ADADELTA", "AdaDelta"}, {"ADAM", "Adam"}};
  return solver.has("solver_type") ? old_names.at(solver.choice("solver_type"))
                                   : solver.string("type");
}

}  // namespace orepa
