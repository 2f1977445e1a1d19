// NetSpec and SolverSpec: parsed prototxt files, with the source position of every field.
//
// A document is not changed after it was read: copies share its message and its positions, and so
// do Options and LayerSpec made from it, which may outlive it. Reading throws Error with file, line
// and column.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "orepa/options.h"

namespace orepa {

class NetParameter;  // proto/orepa.proto; only src/io, src/graph and src/reparam look inside
class SolverParameter;

class NetSpec {
 public:
  static NetSpec read(const std::string& path);
  // `name` stands in messages where a file's path would.
  static NetSpec parse(const std::string& text, const std::string& name);
  explicit NetSpec(const NetParameter& net, const std::string& name = "net");

  // Atomically. The lines of `comment` stand in front, each behind a "# ".
  void write(const std::string& path, const std::string& comment = "") const;
  const std::string& name() const { return name_; }
  // One Options a layer, in the order of the file; a net-level `input` is an Input layer in front.
  std::vector<Options> layers() const;
  const NetParameter& proto() const { return *net_; }

 private:
  NetSpec();
  void upgrade_inputs();
  std::string name_;
  std::shared_ptr<NetParameter> net_;
  std::shared_ptr<Positions> positions_;  // null where it was not read from text
};

class SolverSpec {
 public:
  static SolverSpec read(const std::string& path);
  static SolverSpec parse(const std::string& text, const std::string& name);

  const std::string& name() const { return name_; }
  Options options() const;  // the whole SolverParameter
  // The net of the field `net`, `train_net` or one of their _param forms. A path is looked for as
  // it is given, then beside the solver's own file.
  NetSpec net() const;
  // The first test_net or test_net_param; the training net's where there is none.
  NetSpec test_net() const;

 private:
  SolverSpec();
  NetSpec read_net(const std::string& path, const std::string& field) const;
  std::string name_;
  std::shared_ptr<SolverParameter> solver_;
  std::shared_ptr<Positions> positions_;
};

}  // namespace orepa
