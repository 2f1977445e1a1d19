#include "io/text/upgrade.h"

#include <algorithm>
#include <map>
#include <vector>

#include "core/positions.h"
#include "orepa.pb.h"
#include "orepa/error.h"
#include "orepa/options.h"

namespace orepa {
namespace {

constexpr int kStatistics = 3;  // blobs of a BatchNorm: mean, variance and factor

// Of a message that outlives it.
Options options_of(const google::protobuf::Message& message) {
  return Options({std::shared_ptr<void>(), &message}, nullptr);
}

// Puts a new layer at that index.
LayerParameter& insert_layer(NetParameter& net, int index) {
  LayerParameter& layer = *net.add_layer();
  for (int l = net.layer_size() - 1; l > index; --l) net.mutable_layer()->SwapElements(l, l - 1);
  return layer;
}

void upgrade_inputs(NetParameter& net, const std::string& where) {
  const Options options = options_of(net);
  const int inputs = options.size("input"), extents = options.size("input_dim");
  const bool shapes = options.has("input_shape");
  require(shapes ? options.size("input_shape") == inputs && extents == 0 : extents == 4 * inputs,
          where, ": every input needs one input_shape, or four input_dim");
  for (int i = net.input_size() - 1; i >= 0; --i) {
    LayerParameter& layer = insert_layer(net, 0);
    layer.set_name(net.input(i));
    layer.set_type("Input");
    layer.add_top(net.input(i));
    BlobShape* shape = layer.mutable_input_param()->add_shape();
    if (shapes)
      *shape = net.input_shape(i);
    else
      for (int d = 0; d < 4; ++d) shape->add_dim(net.input_dim(4 * i + d));
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

void stop_learning(LayerParameter& layer) {
  for (ParamSpec& spec : *layer.mutable_param()) {
    spec.set_lr_mult(0);
    spec.set_decay_mult(0);
  }
}

// Once their owners had to say that a BatchNorm's statistics are not learned.
void upgrade_statistics(LayerParameter& layer) {
  if (layer.type() == "BatchNorm" && layer.param_size() == kStatistics) stop_learning(layer);
}

// The field by which a BatchNorm says that it has a scale and a bias in itself; null where it has
// none. In NVIDIA's Caffe, a filler is enough.
const char* field_of_scale(const BatchNormParameter& norm) {
  const Options options = options_of(norm);
  if (options.has("use_weight_bias"))
    return options.flag("use_weight_bias") ? "use_weight_bias" : nullptr;
  if (options.flag("scale_bias")) return "scale_bias";
  for (const char* filler : {"scale_filler", "bias_filler"})
    if (options.has(filler)) return filler;
  return nullptr;
}

// Fills the Scale that is behind a BatchNorm with what that has of it.
void move_scale(LayerParameter& layer, LayerParameter& scale) {
  BatchNormParameter& norm = *layer.mutable_batch_norm_param();
  scale.set_name(layer.name() + "_scale");
  scale.set_type("Scale");
  if (layer.top_size() > 0) scale.add_bottom(layer.top(0));
  if (layer.top_size() > 0) scale.add_top(layer.top(0));
  scale.mutable_loss_weight()->Swap(layer.mutable_loss_weight());
  *scale.mutable_include() = layer.include();
  *scale.mutable_exclude() = layer.exclude();
  // Messages themselves are moved: their places are known.
  std::vector<ParamSpec*> own(std::max(0, layer.param_size() - kStatistics));
  layer.mutable_param()->ExtractSubrange(layer.param_size() - static_cast<int>(own.size()),
                                         static_cast<int>(own.size()), own.data());
  for (ParamSpec* spec : own) scale.mutable_param()->AddAllocated(spec);
  stop_learning(layer);
  ScaleParameter& param = *scale.mutable_scale_param();
  param.set_bias_term(true);
  if (norm.has_scale_filler()) param.set_allocated_filler(norm.release_scale_filler());
  if (norm.has_bias_filler()) param.set_allocated_bias_filler(norm.release_bias_filler());
}

void upgrade_joint_scale(NetParameter& net, int index, const std::string& name,
                         Positions* positions) {
  LayerParameter& layer = *net.mutable_layer(index);
  BatchNormParameter& norm = *layer.mutable_batch_norm_param();
  const auto where = [&](const char* field) {
    return positions == nullptr ? name : positions->where(norm, field, 0);
  };
  require(!norm.has_use_weight_bias() || !(norm.has_scale_bias() || norm.has_scale_filler()),
          where("use_weight_bias"), ": use_weight_bias is of Intel's Caffe, scale_bias and ",
          "scale_filler are of NVIDIA's; leave out what is of one of them");
  const char* field = field_of_scale(norm);
  if (field != nullptr) {
    LayerParameter& scale = insert_layer(net, index + 1);
    move_scale(layer, scale);
    if (positions != nullptr) {
      positions->note(scale, "", -1, where(field));
      positions->note(scale.scale_param(), "", -1, where(field));
    }
  }
  norm.clear_scale_bias();
  norm.clear_use_weight_bias();
  norm.clear_bias_filler();
}

// Forks of Caffe have a type for what one with a group a channel is.
void upgrade_depthwise(LayerParameter& layer) {
  ConvolutionParameter& convolution = *layer.mutable_convolution_param();
  layer.set_type("Convolution");
  if (convolution.group() <= 1) convolution.set_group(convolution.num_output());
}

}  // namespace

void upgrade(NetParameter& net, const std::string& name, Positions* positions) {
  const auto where = [&](const google::protobuf::Message& message, const char* field) {
    return positions == nullptr ? name : positions->where(message, field, 0);
  };
  upgrade_inputs(net, where(net, net.input_size() > 0 ? "input" : "input_shape"));
  for (int l = 0; l < net.layer_size(); ++l) {
    LayerParameter& layer = *net.mutable_layer(l);
    if (options_of(layer.pooling_param()).has("ceil_mode"))
      upgrade_pool(*layer.mutable_pooling_param(), where(layer.pooling_param(), "ceil_mode"));
    const bool norm = layer.type() == "BatchNorm" || layer.type() == "BatchNormPad";
    if (norm && layer.has_batch_norm_param()) upgrade_joint_scale(net, l, name, positions);
    upgrade_statistics(layer);
    if (layer.type() == "DepthwiseConvolution") upgrade_depthwise(layer);
  }
}

void upgrade(SolverParameter& solver, const std::string& name, Positions& positions) {
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
