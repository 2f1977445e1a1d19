// NetSpec and SolverSpec: parsed prototxt files, with the source position of every field. What
// Caffe's older versions and its forks say in other words is read in those of today.
//
// A document is not changed after it was read: copies share its message and its positions, and so
// do Options and LayerSpec made from it, which may outlive it. Reading throws Error with file, line
// and column.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "orepa/options.h"

namespace orepa {

class LayerParameter;  // proto/orepa.proto; only src/io, src/engine and src/reparam look inside
class NetParameter;
class SolverParameter;
class NetText;  // src/io/text/net_text.h

// What reading does about fields, and values of enums, that proto/orepa.proto does not have.
enum class Unknown {
  kRefuse,  // throws Error with the place and the nearest name
  kKeep,    // of other forks of Caffe: for programs that rewrite, describe or check a net
};

struct UnknownField {
  int layer;          // index into NetSpec::layers(); -1: of the net or the solver itself
  std::string where;  // "net.prototxt:39:5"
  std::string what;   // "unknown field "permute_param" in LayerParameter"

  std::string str() const { return where + ": " + what; }
};

class NetSpec {
 public:
  static NetSpec read(const std::string& path, Unknown unknown = Unknown::kRefuse);
  // `name` stands in messages where a file's path would.
  static NetSpec parse(const std::string& text, const std::string& name,
                       Unknown unknown = Unknown::kRefuse);
  explicit NetSpec(const NetParameter& net, const std::string& name = "net");

  // Those that were kept, in order. No layer sees them, so that a Net refuses them.
  std::vector<UnknownField> unknown_fields() const;
  // The same net without them, for a Net that does not take them into account.
  NetSpec known() const;

  // The net with other layers in place of some, by index. What was read with Unknown::kKeep stays
  // as it was written, comments included.
  NetSpec replaced(const std::map<int, std::vector<LayerParameter>>& layers) const;
  // A copy after that change, which removes nothing; what it leaves stands where it does here.
  NetSpec with(const std::function<void(NetParameter& net)>& change) const;
  // The part without some layers, every place as it was; of a net read with Unknown::kKeep.
  NetSpec without(const std::set<int>& layers) const;

  // Atomically. The lines of `comment` stand in front, each behind a "# ".
  void write(const std::string& path, const std::string& comment = "") const;
  const std::string& name() const { return name_; }
  Options options() const;  // the whole NetParameter
  // One Options a layer, in the order of the file; a net-level `input` is an Input layer in front,
  // the scale and bias in a BatchNorm a Scale behind it.
  std::vector<Options> layers() const;
  const NetParameter& proto() const { return *net_; }

 private:
  friend class SolverSpec;
  NetSpec();
  // A copy of a part of another document.
  NetSpec(const NetParameter& net, const std::string& name, const Positions& positions);
  // As it was written, in words of every version.
  static NetSpec parse_words(const std::string& text, const std::string& name, Unknown unknown);
  void upgrade_words();
  // Adds what the solver says about the net's state, which wins.
  void merge_state(const Options& state, const std::string& phase);
  std::string name_;
  std::shared_ptr<NetParameter> net_;
  std::shared_ptr<Positions> positions_;  // null where it was not read from text
  std::shared_ptr<const NetText> text_;   // null where it was not read with Unknown::kKeep
  // By layer: the one of the text, by its index there, that it was written in; -1 of an `input`.
  std::vector<int> written_in_;
};

// A field that gets another value than its file says.
struct Setting {
  // "base_lr", "stepvalue[0]" or, of the nets, "net.layer[conv1].convolution_param.num_output":
  // layers by name, that of one phase as "data:TRAIN", all others of a list by index, where the one
  // behind the last is one more.
  std::string path;
  // As in prototxt: 0.1, MAX, [1, 2], { type: "xavier" }; a text also without quotation marks. It
  // replaces a list or a message as a whole.
  std::string value;
  std::string place;  // what stands in errors where a place in a file would
};

class SolverSpec {
 public:
  static SolverSpec read(const std::string& path, Unknown unknown = Unknown::kRefuse);
  static SolverSpec parse(const std::string& text, const std::string& name,
                          Unknown unknown = Unknown::kRefuse);

  // Those of the solver itself that were kept; its nets, which are read likewise, have their own.
  std::vector<UnknownField> unknown_fields() const { return unknown_; }

  // The same with other values, also in every net that it names. Throws Error where a field, a
  // layer or a value is none.
  SolverSpec with(const std::vector<Setting>& settings) const;
  // The same where Data layers read from other sources: `train` those of phase TRAIN, `test` those
  // of phase TEST. Throws Error where there is none of a phase that the solver runs, and where one
  // is of both.
  SolverSpec with_sources(const std::string& train, const std::string& test,
                          const std::string& place) const;

  // With its nets in it: needs no other prototxt. The lines of `comment` stand in front, each
  // behind a "# ".
  std::string text(const std::string& comment) const;
  // The same into a file, atomically.
  void write(const std::string& path, const std::string& comment) const;

  const std::string& name() const { return name_; }
  Options options() const;  // the whole SolverParameter
  // The net of the field `net`, `train_net` or one of their _param forms. A path is looked for as
  // it is given, then beside the solver's own file. Its state is merged with train_state.
  NetSpec net() const;
  // In Caffe's order: every test_net_param, every test_net, and the net of the field `net` or
  // `net_param` for each test_iter that is left; without test_iter, for each test_state that is
  // left, and once where no other net is named. Their states are merged with test_state.
  std::vector<NetSpec> test_nets() const;

 private:
  SolverSpec();
  // What is done to every net that is read, by the field that names it. Returns false where the net
  // has no such layer.
  using NetChange =
      std::function<bool(const std::string& field, NetParameter& net, Positions& positions)>;
  SolverSpec copy() const;
  NetSpec training_net() const;            // without train_state
  std::vector<NetSpec> read_nets() const;  // each that a field names
  NetSpec read_net(const std::string& path, const std::string& field, int index = 0) const;
  NetSpec nested_net(const Options& net, const std::string& field) const;
  NetSpec changed(NetSpec net, const std::string& field) const;
  void set(const Setting& setting);
  std::string name_, content_;
  Unknown kept_ = Unknown::kRefuse;
  std::vector<UnknownField> unknown_;
  std::shared_ptr<SolverParameter> solver_;
  std::shared_ptr<Positions> positions_;
  std::vector<Setting> settings_;   // of its own fields
  std::vector<NetChange> changes_;  // of its nets
};

}  // namespace orepa
