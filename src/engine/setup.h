// The engine's side of Setup: collects what one layer declares while a net is built.
#pragma once
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/program.h"
#include "orepa/net.h"

namespace orepa {

// A piece of memory that a layer's Handle names.
struct Slot {
  enum class Kind { kParameter, kArena, kPersistent, kPacked };
  Kind kind = Kind::kParameter;
  Parameter* parameter = nullptr;  // of kParameter
  Shape shape;                     // as this layer sees it
  bool first = true;               // whether no earlier layer of the net has the parameter
  // In NodeTraits::memory: of kArena, and of a factor's gradient, which is -1 where there is none.
  // In Declaration::persistent: of kPersistent.
  int index = -1;
  PackedCopy* copy = nullptr;  // of kPacked
};

struct Declaration {
  std::vector<Slot> slots;  // by Handle
  NodeTraits traits;
  std::vector<int64_t> persistent;  // memory that stays: bytes
  struct Constant {
    int index;  // in `persistent`
    Shape shape;
    std::function<std::vector<float>()> values;
  };
  std::vector<Constant> constants;
  struct State {
    int index;  // in `persistent`
    std::string name;
    Shape shape;
  };
  std::vector<State> states;
  int64_t samples = 0;
  std::map<int, LabelRange> labels;  // by output
  bool draws_random = false, takes_image_size = false;

  std::vector<std::pair<std::string, std::string>> names;  // of the parameters: layer, name

  std::vector<Parameter*> parameters() const;
  std::vector<Parameter*> first_parameters() const;  // that no earlier layer of the net has
};

// lr_mult and decay_mult of parameters that layers share; one layer may say them for all.
struct SharedMultipliers {
  std::optional<float> lr_mult, decay_mult;
};

// What all layers of a net see alike.
struct SetupContext {
  Parameters& parameters;
  const NetOptions& options;
  DType precision = DType::kFloat32;
  bool backward = false;
  const std::map<int, LabelRange>* labels = nullptr;          // by value, of those that are known
  BatchRows* rows = nullptr;                                  // that the first source asks for
  std::map<std::string, SharedMultipliers> multipliers = {};  // by `param { name }`
  bool force_backward = false;                                // what propagate_down stops flows on
  // By earlier layers of the net.
  std::shared_ptr<std::set<const Parameter*>> declared =
      std::make_shared<std::set<const Parameter*>>();
};

class NodeSetup : public Setup {
 public:
  NodeSetup(const Node& node, std::vector<Shape> inputs, std::vector<bool> input_gradients,
            const SetupContext& context);

  // Checks the output shapes against the tops and completes the declaration.
  Declaration finish(const std::vector<Shape>& outputs);
  bool makes_loss() const { return !default_loss_weight_.empty(); }

  const LayerSpec& spec() const override { return node_.spec; }
  Phase phase() const override { return context_.options.phase; }
  Device& device() override { return context_.parameters.device(); }
  uint64_t seed() const override { return context_.parameters.seed(); }
  const LayerSpec* absorbed(const std::string& type) const override;
  int inputs() const override { return static_cast<int>(inputs_.size()); }
  const Shape& input(int i) const override { return inputs_[checked(i)]; }
  LabelRange labels(int input) const override;
  int outputs() const override { return static_cast<int>(node_.outputs.size()); }
  bool input_gradient(int i) const override { return input_gradients_[checked(i)]; }
  DType takes_bfloat16() override;
  bool backward() const override { return context_.backward; }
  bool weights_change_every_pass() const override {
    return context_.options.weights_change_every_pass;
  }
  BatchRows take_rows(int64_t batch_size) override;
  BatchRows rows() const override { return *context_.rows; }
  Communicator* ranks() const override { return context_.options.ranks; }
  bool sync_statistics() const override { return context_.options.sync_statistics; }
  int64_t takes_image_size() override {
    declaration_.takes_image_size = true;
    return context_.options.image_size;
  }
  const Shape* shape_override(int output) const override;
  int64_t first_sample() const override { return context_.options.first_sample; }

  Handle parameter(const std::string& name, const Shape& shape, const Filler& filler,
                   const LayerSpec* owner) override;
  Handle buffer(const std::string& name, const Shape& shape, const Filler& filler) override;
  Handle factor(const std::string& name, const Shape& shape, const Filler& filler) override;
  Handle derived(const std::string& name, const Shape& shape) override;
  Handle packed(Handle parameter, int layout, int64_t bytes) override;
  Handle saved(int64_t bytes) override;
  Handle scratch(Stage stage, int64_t bytes) override;
  Handle persistent(int64_t bytes) override;
  Handle state(const std::string& name, const Shape& shape) override;
  Handle constant(const Shape& shape, std::function<std::vector<float>()> values) override;

  void backward_reads_input(int i) override { declaration_.traits.reads_input[checked(i)] = true; }
  void backward_reads_output(int i) override;
  void output_may_overwrite_input(int output, int input) override {
    declaration_.traits.may_overwrite.emplace_back(output, checked(input));
  }
  void input_gradient_may_overwrite(int input) override {
    declaration_.traits.gradient_may_overwrite[checked(input)] = true;
  }
  void inputs_share_gradient() override { declaration_.traits.inputs_share_gradient = true; }
  void no_input_gradient(int i) override { declaration_.traits.differentiable[checked(i)] = false; }
  void loss(int output, float default_weight) override;
  void forward_only() override { declaration_.traits.forward_only = true; }
  void samples(int64_t count) override { declaration_.samples = count; }
  void labels(int output, const LabelRange& range) override { declaration_.labels[output] = range; }
  void draws_random() override { declaration_.draws_random = true; }

 private:
  // Throws Error where the layer has no such bottom; keeps count of those that it knows about.
  int checked(int input) const;
  // Throws Error where a layer of this node has more `param {}` than blobs.
  void require_blobs_for_params() const;
  Handle declare(const LayerSpec& owner, const std::string& name, const Shape& shape,
                 const Filler& filler, Parameter::Kind kind, bool factor);
  // Throws Error where there cannot be so much.
  int arena_memory(int64_t bytes, Stage first, Stage last);
  Handle add_memory(Slot::Kind kind, int index);
  Handle add(const Slot& slot);
  // Of a parameter that is computed from factors; empty where this layer alone has it.
  std::string shared_derived_name(const Parameter& derived) const;

  const Node& node_;
  std::vector<Shape> inputs_;
  std::vector<bool> input_gradients_;
  const SetupContext& context_;
  mutable int known_inputs_ = 0;
  Declaration declaration_;
  std::vector<float> default_loss_weight_;  // by output
  std::vector<bool> reads_output_;
  std::vector<std::pair<std::string, int>> blob_counts_;  // by owner
};

}  // namespace orepa
