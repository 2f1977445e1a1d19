#include "orepa/model_io.h"

#include <filesystem>

#include "io/atomic_file.h"
#include "io/positions.h"
#include "io/print_text.h"
#include "orepa.pb.h"
#include "orepa/error.h"

namespace orepa {

NetSpec::NetSpec() : net_(std::make_shared<NetParameter>()) {}

NetSpec::NetSpec(const NetParameter& net, const std::string& name) : NetSpec() {
  name_ = name;
  *net_ = net;
  upgrade_inputs();
}

NetSpec NetSpec::read(const std::string& path) { return parse(read_file(path), path); }

NetSpec NetSpec::parse(const std::string& content, const std::string& name) {
  NetSpec spec;
  spec.name_ = name;
  spec.positions_ = std::make_shared<Positions>(name);
  parse_text(content, name, *spec.net_, *spec.positions_);
  spec.upgrade_inputs();
  require(spec.net_->layer_size() > 0, name, ": has no layer {}");
  return spec;
}

// Caffe's older form: input: "data" with input_shape {} or four input_dim.
void NetSpec::upgrade_inputs() {
  NetParameter& net = *net_;
  if (net.input_size() == 0) return;
  const bool shapes = net.input_shape_size() > 0;
  require(shapes ? net.input_shape_size() == net.input_size()
                 : net.input_dim_size() == 4 * net.input_size(),
          positions_ ? positions_->where(net, "input", 0) : name_,
          ": every input needs one input_shape, or four input_dim");
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

void NetSpec::write(const std::string& path, const std::string& comment) const {
  write_atomically(path, print_text(*net_, comment));
}

std::vector<Options> NetSpec::layers() const {
  std::vector<Options> layers;
  for (const LayerParameter& layer : net_->layer())
    layers.emplace_back(std::shared_ptr<const LayerParameter>(net_, &layer), positions_);
  return layers;
}

SolverSpec::SolverSpec() : solver_(std::make_shared<SolverParameter>()) {}

SolverSpec SolverSpec::read(const std::string& path) { return parse(read_file(path), path); }

SolverSpec SolverSpec::parse(const std::string& content, const std::string& name) {
  SolverSpec spec;
  spec.name_ = name;
  spec.positions_ = std::make_shared<Positions>(name);
  parse_text(content, name, *spec.solver_, *spec.positions_);
  return spec;
}

Options SolverSpec::options() const { return Options(solver_, positions_); }

NetSpec SolverSpec::net() const {
  const SolverParameter& solver = *solver_;
  const int given = solver.has_net() + solver.has_train_net() + solver.has_net_param() +
                    solver.has_train_net_param();
  require(given == 1, name_,
          ": exactly one of net, train_net, net_param and train_net_param is needed, ", given,
          " are given");
  if (solver.has_net_param()) return NetSpec(solver.net_param(), name_);
  if (solver.has_train_net_param()) return NetSpec(solver.train_net_param(), name_);
  return solver.has_net() ? read_net(solver.net(), "net")
                          : read_net(solver.train_net(), "train_net");
}

NetSpec SolverSpec::test_net() const {
  if (solver_->test_net_size() > 0) return read_net(solver_->test_net(0), "test_net");
  if (solver_->test_net_param_size() > 0) return NetSpec(solver_->test_net_param(0), name_);
  return net();
}

NetSpec SolverSpec::read_net(const std::string& path, const std::string& field) const {
  std::error_code ignored;  // a path that cannot even be looked for is not there
  if (std::filesystem::exists(path, ignored)) return NetSpec::read(path);
  const std::filesystem::path beside = std::filesystem::path(name_).parent_path() / path;
  require(std::filesystem::exists(beside, ignored), options().where(field), ": net \"", path,
          "\" is neither in the working directory nor beside the solver");
  return NetSpec::read(beside.string());
}

}  // namespace orepa
