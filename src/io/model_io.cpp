#include "orepa/model_io.h"

#include <filesystem>

#include "io/atomic_file.h"
#include "io/net_text.h"
#include "io/positions.h"
#include "io/print_text.h"
#include "io/upgrade.h"
#include "orepa.pb.h"
#include "orepa/error.h"

namespace orepa {

NetSpec::NetSpec() : net_(std::make_shared<NetParameter>()) {}

NetSpec::NetSpec(const NetParameter& net, const std::string& name) : NetSpec() {
  name_ = name;
  *net_ = net;
  upgrade(*net_, name_, nullptr);
}

NetSpec NetSpec::read(const std::string& path, Unknown unknown) {
  return parse(read_file(path), path, unknown);
}

NetSpec NetSpec::parse(const std::string& content, const std::string& name, Unknown unknown) {
  NetSpec spec;
  spec.name_ = name;
  spec.positions_ = std::make_shared<Positions>(name);
  if (unknown == Unknown::kKeep) spec.text_ = std::make_shared<NetText>(content, name);
  parse_text(spec.text_ ? spec.text_->known() : content, name, *spec.net_, *spec.positions_);
  require(!spec.text_ || spec.text_->layers() == spec.net_->layer_size(), name,
          ": has a list of layers, layer [...]; write every one as layer {...}");
  upgrade(*spec.net_, name, spec.positions_.get());
  require(spec.net_->layer_size() > 0, name, ": has no layer {}");
  return spec;
}

int NetSpec::inputs() const { return net_->layer_size() - text_->layers(); }

std::vector<UnknownField> NetSpec::unknown_fields() const {
  if (!text_) return {};
  std::vector<UnknownField> fields = text_->unknown_fields();
  for (UnknownField& field : fields)
    if (field.layer >= 0) field.layer += inputs();
  return fields;
}

NetSpec NetSpec::replaced(const std::map<int, std::vector<LayerParameter>>& layers) const {
  NetParameter net = *net_;
  net.clear_layer();
  std::map<int, std::string> texts;
  for (int i = 0; i < net_->layer_size(); ++i) {
    const auto found = layers.find(i);
    if (found == layers.end()) {
      *net.add_layer() = net_->layer(i);
      continue;
    }
    NetParameter part;
    for (const LayerParameter& layer : found->second) *part.add_layer() = layer;
    net.mutable_layer()->MergeFrom(part.layer());
    std::string text = print_text(part);
    if (text.ends_with('\n')) text.pop_back();
    if (text_) texts[i - inputs()] = text;
  }
  NetSpec spec(net, name_);
  if (text_) spec.text_ = std::make_shared<NetText>(text_->replaced(texts), name_);
  return spec;
}

NetSpec NetSpec::without(const std::set<int>& layers) const {
  std::set<int> of_text;
  for (const int layer : layers) of_text.insert(layer - inputs());
  return parse(text_->without(of_text), name_, Unknown::kKeep);
}

void NetSpec::write(const std::string& path, const std::string& comment) const {
  write_atomically(path,
                   text_ ? comment_lines(comment) + text_->content() : print_text(*net_, comment));
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
