#include "orepa/model_io.h"

#include <algorithm>
#include <filesystem>

#include "core/atomic_file.h"
#include "core/error_list.h"
#include "core/input_file.h"
#include "io/legacy/v1_net.h"
#include "io/text/layer_names.h"
#include "io/text/net_text.h"
#include "io/text/parse_text.h"
#include "io/text/print_text.h"
#include "io/text/setting.h"
#include "io/text/text_scan.h"
#include "io/text/upgrade.h"
#include "orepa.pb.h"
#include "orepa/error.h"

namespace orepa {
namespace {

// parse_text() of what is left without unknown fields; these are errors, too, where it throws one.
void parse_known(const std::string& content, const std::string& name,
                 const std::vector<UnknownField>& unknown, google::protobuf::Message& message,
                 Positions& positions) {
  ErrorList errors;
  if (errors.attempt([&] { parse_text(content, name, message, positions); })) return;
  for (const UnknownField& field : unknown) errors.add(field.str());
  errors.raise();
}

void require_layers(const NetSpec& spec) {
  require(spec.proto().layer_size() > 0, spec.name(), ": has no layer {}");
}

}  // namespace

NetSpec::NetSpec() : net_(std::make_shared<NetParameter>()) {}

NetSpec::NetSpec(const NetParameter& net, const std::string& name) : NetSpec() {
  name_ = name;
  *net_ = net;
  upgrade(*net_, name_, nullptr);
}

NetSpec::NetSpec(const NetParameter& net, const std::string& name, const Positions& positions)
    : NetSpec() {
  name_ = name;
  *net_ = net;
  positions_ = std::make_shared<Positions>(positions, net, *net_);
}

NetSpec NetSpec::read(const std::string& path, Unknown unknown) {
  return parse(read_file(path), path, unknown);
}

NetSpec NetSpec::parse(const std::string& content, const std::string& name, Unknown unknown) {
  NetSpec spec = parse_words(content, name, unknown);
  spec.upgrade_words();
  return spec;
}

NetSpec NetSpec::parse_words(const std::string& content, const std::string& name, Unknown unknown) {
  NetSpec spec;
  spec.name_ = name;
  spec.positions_ = std::make_shared<Positions>(name);
  const bool keeps = unknown == Unknown::kKeep;
  if (is_v1_text(content, name)) {
    parse_v1_text(content, name, *spec.net_, *spec.positions_);
    // Its own text has layers of another kind.
    if (keeps) spec.text_ = std::make_shared<NetText>(print_text(*spec.net_), name);
    return spec;
  }
  if (keeps) spec.text_ = std::make_shared<NetText>(without_mark(content, name), name);
  parse_known(keeps ? spec.text_->known() : content, name,
              keeps ? spec.text_->unknown_fields() : std::vector<UnknownField>(), *spec.net_,
              *spec.positions_);
  require(!keeps || spec.text_->layers() == spec.net_->layer_size(), name,
          ": has a list of layers, layer [...]; write every one as layer {...}");
  return spec;
}

void NetSpec::upgrade_words() {
  std::map<const LayerParameter*, int> known;  // where they are written
  for (int l = 0; l < net_->layer_size(); ++l)
    known[&net_->layer(l)] = written_in_.empty() ? l : written_in_[l];
  upgrade(*net_, name_, positions_.get());
  require_layers(*this);
  written_in_.clear();
  for (const LayerParameter& layer : net_->layer()) {
    const auto found = known.find(&layer);
    written_in_.push_back(found != known.end()  ? found->second
                          : written_in_.empty() ? -1
                                                : written_in_.back());
  }
}

std::vector<UnknownField> NetSpec::unknown_fields() const {
  if (!text_) return {};
  std::vector<UnknownField> fields = text_->unknown_fields();
  for (UnknownField& field : fields)
    if (field.layer >= 0)
      field.layer = static_cast<int>(
          std::find(written_in_.begin(), written_in_.end(), field.layer) - written_in_.begin());
  return fields;
}

NetSpec NetSpec::known() const {
  NetSpec spec = *this;
  spec.text_ = nullptr;
  return spec;
}

NetSpec NetSpec::replaced(const std::map<int, std::vector<LayerParameter>>& layers) const {
  std::map<int, NetParameter> parts;  // by the layer that they are written in
  std::set<int> changed;
  for (int i = 0; i < net_->layer_size(); ++i) {
    const int place = text_ ? written_in_[i] : i;
    const auto found = layers.find(i);
    if (found != layers.end()) changed.insert(place);
    NetParameter& part = parts[place];
    if (found == layers.end())
      *part.add_layer() = net_->layer(i);
    else
      for (const LayerParameter& layer : found->second) *part.add_layer() = layer;
  }
  if (text_) {
    std::map<int, std::string> texts;
    for (const int place : changed) {
      texts[place] = print_text(parts[place]);
      if (texts[place].ends_with('\n')) texts[place].pop_back();
    }
    return parse(text_->replaced(texts), name_, Unknown::kKeep);
  }
  NetParameter net = *net_;
  net.clear_layer();
  for (const auto& [place, part] : parts) net.mutable_layer()->MergeFrom(part.layer());
  return NetSpec(net, name_);
}

NetSpec NetSpec::with(const std::function<void(NetParameter& net)>& change) const {
  NetSpec spec = *this;
  spec.net_ = std::make_shared<NetParameter>(*net_);
  if (positions_) spec.positions_ = std::make_shared<Positions>(*positions_, *net_, *spec.net_);
  change(*spec.net_);
  return spec;
}

NetSpec NetSpec::without(const std::set<int>& layers) const {
  std::set<int> of_text;
  for (const int layer : layers) of_text.insert(written_in_[layer]);
  return parse(text_->without(of_text), name_, Unknown::kKeep);
}

void NetSpec::merge_state(const Options& state, const std::string& phase) {
  require(!state.has("phase") || state.choice("phase") == phase, state.where("phase"),
          ": the phase of this net is ", phase, ", not ", state.choice("phase"),
          "; leave phase out");
  if (state.has("level") || state.has("stage"))
    net_->mutable_state()->MergeFrom(static_cast<const NetState&>(*state.proto()));
}

Options NetSpec::options() const { return Options(net_, positions_); }

void NetSpec::write(const std::string& path, const std::string& comment) const {
  write_atomically(path,
                   text_ ? comment_lines(comment) + text_->content() : print_text(*net_, comment));
}

std::vector<Options> NetSpec::layers() const { return options().messages("layer"); }

SolverSpec::SolverSpec() : solver_(std::make_shared<SolverParameter>()) {}

SolverSpec SolverSpec::read(const std::string& path, Unknown unknown) {
  return parse(read_file(path), path, unknown);
}

SolverSpec SolverSpec::parse(const std::string& content, const std::string& name, Unknown unknown) {
  SolverSpec spec;
  spec.name_ = name;
  spec.kept_ = unknown;
  spec.content_ = content;
  if (unknown == Unknown::kKeep) {
    const std::string text = without_mark(content, name);
    const TextScan scan = scan_text(text, name, *SolverParameter::descriptor());
    spec.content_ = known_text(text, scan);
    for (const UnknownText& field : scan.unknown)
      spec.unknown_.push_back({-1, place_of(field, name), field.what});
  }
  spec.positions_ = std::make_shared<Positions>(name);
  parse_known(spec.content_, name, spec.unknown_, *spec.solver_, *spec.positions_);
  return spec;
}

Options SolverSpec::options() const { return Options(solver_, positions_); }

SolverSpec SolverSpec::copy() const {
  SolverSpec spec = parse(content_, name_);  // without what is unknown
  spec.kept_ = kept_;
  spec.unknown_ = unknown_;
  spec.changes_ = changes_;
  for (const Setting& setting : settings_) spec.set(setting);
  return spec;
}

void SolverSpec::set(const Setting& setting) {
  const FieldPath path(setting.path, setting.place);
  if (path.starts_with("net")) {
    changes_.push_back(
        [=, path = path.rest()](const std::string& field, NetParameter& net, Positions& positions) {
          return set_field(setting, path, net, positions, field);
        });
  } else {
    const bool found = set_field(setting, path, *solver_, *positions_);
    require(found, setting.place, ": there is no layer of that name");
    settings_.push_back(setting);
  }
}

SolverSpec SolverSpec::with(const std::vector<Setting>& settings) const {
  SolverSpec spec = copy();
  for (const Setting& setting : settings) spec.set(setting);
  std::vector<std::string> layers;
  std::string field = options().has("net") || options().has("net_param") ? "net" : "train_net";
  for (const NetSpec& net : spec.read_nets()) {
    for (const LayerParameter& layer : net.proto().layer())
      for (const std::string& name : names_of(layer, field)) layers.push_back(name);
    field = "test_net";  // of those behind the first
  }
  for (const Setting& setting : settings) {
    const FieldPath path(setting.path, setting.place);
    if (!path.starts_with("net")) continue;
    const FieldPath::Step step = path.steps[1];
    if (step.field != "layer" || !step.has_entry) continue;
    require(std::find(layers.begin(), layers.end(), step.entry) != layers.end(), setting.place,
            ": there is no layer \"", step.entry, "\"", did_you_mean(step.entry, layers));
  }
  return spec;
}

SolverSpec SolverSpec::with_sources(const std::string& train, const std::string& test,
                                    const std::string& place) const {
  SolverSpec spec = copy();
  spec.changes_.push_back([=](const std::string& field, NetParameter& net, Positions& positions) {
    for (LayerParameter& layer : *net.mutable_layer()) {
      if (layer.type() != "Data") continue;
      const bool trains = runs_in(layer, TRAIN, field), tests = runs_in(layer, TEST, field);
      require(!trains || !tests, positions.where(layer, "", 0), ": layer \"", layer.name(),
              "\" is of both phases, but ", place,
              " has a source for each; write two, with include ",
              "{ phase: TRAIN } and include { phase: TEST }");
      if (!trains && !tests) continue;
      layer.mutable_data_param()->set_source(trains ? train : test);
      positions.note(layer.data_param(), "source", -1, place);
    }
    return true;
  });
  const auto reads = [](const NetSpec& net, NetPhase phase) {
    const auto& layers = net.proto().layer();
    return std::any_of(layers.begin(), layers.end(), [&](const LayerParameter& layer) {
      return layer.type() == "Data" && runs_in(layer, phase);
    });
  };
  const std::string remedy = " has no layer of type Data that could read from it in phase ";
  const NetSpec training = spec.training_net();
  require(reads(training, TRAIN), place, ": net ", training.name(), remedy, "TRAIN");
  if (spec.options().has("test_interval") || spec.options().has("test_interval_epoch"))
    for (const NetSpec& net : spec.test_nets())
      require(reads(net, TEST), place, ": net ", net.name(), remedy, "TEST");
  return spec;
}

NetSpec SolverSpec::net() const {
  NetSpec net = training_net();
  net.merge_state(options().message("train_state"), "TRAIN");
  return net;
}

NetSpec SolverSpec::training_net() const {
  const Options solver = options();
  int count = 0;
  for (const char* field : {"net", "train_net", "net_param", "train_net_param"})
    count += solver.has(field);
  require(count == 1, name_,
          ": exactly one of net, train_net, net_param and train_net_param is needed, ", count,
          " are given");
  for (const char* field : {"net_param", "train_net_param"})
    if (solver.has(field)) return nested_net(solver.message(field), field);
  const char* field = solver.has("net") ? "net" : "train_net";
  return read_net(solver.string(field), field);
}

std::vector<NetSpec> SolverSpec::test_nets() const {
  const Options solver = options();
  std::vector<NetSpec> nets;
  ErrorList errors;
  for (const Options& net : solver.messages("test_net_param"))
    errors.attempt([&] { nets.push_back(nested_net(net, "test_net_param")); });
  int index = 0;
  for (const std::string& path : solver.strings("test_net"))
    errors.attempt([&] { nets.push_back(read_net(path, "test_net", index++)); });
  errors.raise();
  const std::vector<Options> states = solver.messages("test_state");
  const size_t named = nets.size(), lengths = solver.integers("test_iter").size();
  const size_t count = lengths > 0 ? lengths : std::max({named, states.size(), size_t{1}});
  const bool may_serve = named == 0 || solver.has("net") || solver.has("net_param");
  require(count == named || (count > named && may_serve), solver.where("test_iter"),
          ": test_iter is given ", count, " times for ", named,
          " test nets; give one each, or none");
  require(states.empty() || states.size() == count, solver.where("test_state"),
          ": test_state is given ", states.size(), " times for ", count,
          " test nets; give one each, or none");
  while (nets.size() < count) nets.push_back(training_net());
  for (size_t i = 0; i < states.size(); ++i) nets[i].merge_state(states[i], "TEST");
  return nets;
}

NetSpec SolverSpec::nested_net(const Options& net, const std::string& field) const {
  return changed(NetSpec(static_cast<const NetParameter&>(*net.proto()), name_, *positions_),
                 field);
}

NetSpec SolverSpec::read_net(const std::string& path, const std::string& field, int index) const {
  std::error_code ignored;  // a path that cannot even be looked for is not there
  std::filesystem::path found = path;
  if (!std::filesystem::exists(found, ignored))
    found = std::filesystem::path(name_).parent_path() / path;
  const std::string where = options().where(field, index);
  require(std::filesystem::exists(found, ignored), where, ": net \"", path,
          "\" is neither in the working directory nor beside the solver");
  require(!std::filesystem::is_directory(found, ignored), where, ": net \"", path,
          "\" is a folder, not a prototxt");
  const std::string file = found.string();
  return changed(NetSpec::parse_words(read_file(file), file, kept_), field);
}

// Changes speak in the words of the file; what they do not find there, of layers that stand for
// other words.
NetSpec SolverSpec::changed(NetSpec net, const std::string& field) const {
  std::vector<const NetChange*> open;
  for (const NetChange& change : changes_)
    if (!change(field, *net.net_, *net.positions_)) open.push_back(&change);
  net.upgrade_words();
  if (open.empty()) return net;
  for (const NetChange* change : open) (*change)(field, *net.net_, *net.positions_);
  net.upgrade_words();
  return net;
}

std::vector<NetSpec> SolverSpec::read_nets() const {
  std::vector<NetSpec> nets = {training_net()};
  const Options solver = options();
  for (const Options& net : solver.messages("test_net_param"))
    nets.push_back(nested_net(net, "test_net_param"));
  for (const std::string& path : solver.strings("test_net"))
    nets.push_back(read_net(path, "test_net"));
  return nets;
}

std::string SolverSpec::text(const std::string& comment) const {
  SolverParameter whole = *solver_;
  const std::vector<NetSpec> nets = read_nets();
  const bool only_trains = whole.has_train_net() || whole.has_train_net_param();
  *(only_trains ? whole.mutable_train_net_param() : whole.mutable_net_param()) = nets[0].proto();
  whole.clear_net();
  whole.clear_train_net();
  whole.clear_test_net();
  whole.clear_test_net_param();
  for (size_t i = 1; i < nets.size(); ++i) *whole.add_test_net_param() = nets[i].proto();
  return print_text(whole, comment);
}

void SolverSpec::write(const std::string& path, const std::string& comment) const {
  write_atomically(path, text(comment));
}

}  // namespace orepa
