// NetSpec and SolverSpec: parsed prototxt files, with the source position of every field.
//
// A document is not changed after it was read: copies share its message and its positions, and so
// do Options and LayerSpec made from it, which may outlive it. Reading throws Error with file, line
// and column.
#pragma once
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
  kKeep,    // of other forks of Caffe: for programs that rewrite or describe a net
};

struct UnknownField {
  int layer;          // index into NetSpec::layers(); -1: of the net itself
  std::string where;  // "net.prototxt:39:5"
  std::string what;   // "unknown field "permute_param" in LayerParameter"
};

class NetSpec {
 public:
  static NetSpec read(const std::string& path, Unknown unknown = Unknown::kRefuse);
  // `name` stands in messages where a file's path would.
  static NetSpec parse(const std::string& text, const std::string& name,
                       Unknown unknown = Unknown::kRefuse);
  explicit NetSpec(const NetParameter& net, const std::string& name = "net");

  // Those that were kept, in order. No layer sees them; whoever computes with the net has to refuse
  // them or to say so.
  std::vector<UnknownField> unknown_fields() const;

  // The net with other layers in place of some, by index. What was read with Unknown::kKeep stays
  // as it was written, comments included.
  NetSpec replaced(const std::map<int, std::vector<LayerParameter>>& layers) const;
  // The part without some layers, every place as it was; of a net read with Unknown::kKeep.
  NetSpec without(const std::set<int>& layers) const;

  // Atomically. The lines of `comment` stand in front, each behind a "# ".
  void write(const std::string& path, const std::string& comment = "") const;
  const std::string& name() const { return name_; }
  Options options() const;  // the whole NetParameter
  // One Options a layer, in the order of the file; a net-level `input` is an Input layer in front.
  std::vector<Options> layers() const;
  const NetParameter& proto() const { return *net_; }

 private:
  friend class SolverSpec;
  NetSpec();
  // A copy of a part of another document.
  NetSpec(const NetParameter& net, const std::string& name, const Positions& positions);
  int inputs() const;  // layers in front for which the text has a net-level `input`
  // Adds what the solver says about the net's state, which wins.
  void merge_state(const Options& state, const std::string& phase);
  std::string name_;
  std::shared_ptr<NetParameter> net_;
  std::shared_ptr<Positions> positions_;  // null where it was not read from text
  std::shared_ptr<const NetText> text_;   // null where it was not read with Unknown::kKeep
};

class SolverSpec {
 public:
  static SolverSpec read(const std::string& path);
  static SolverSpec parse(const std::string& text, const std::string& name);

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
  NetSpec training_net() const;  // without train_state
  NetSpec read_net(const std::string& path, const std::string& field, int index = 0) const;
  NetSpec nested_net(const Options& net) const;
  std::string name_;
  std::shared_ptr<SolverParameter> solver_;
  std::shared_ptr<Positions> positions_;
};

}  // namespace orepa
