#include "engine/setup.h"

#include <algorithm>
#include <limits>

namespace orepa {
namespace {

// Above what any machine has, and so few that no later arithmetic on numbers and bytes of all
// layers together overflows. 32 axes are HDF5's bound.
constexpr int64_t kMostNumbers = int64_t{1} << 40, kMostBytes = int64_t{1} << 44;
constexpr int64_t kLargestExtent = std::numeric_limits<int32_t>::max();
constexpr int kMostAxes = 32;

void require_possible(int64_t bytes) {
  require(bytes >= 0 && bytes <= kMostBytes, "needs more memory than there can be");
}

bool is_sound(const Shape& shape) {
  const std::vector<int64_t>& extents = shape.extents();
  return shape.fits(kMostNumbers) && shape.rank() <= kMostAxes &&
         std::all_of(extents.begin(), extents.end(),
                     [](int64_t extent) { return extent <= kLargestExtent; });
}

// Behind the shape that is not.
const char* const kSoundShapes =
    "; every extent must be positive and below 2^31, and the whole must fit into memory";

}  // namespace

std::vector<Parameter*> Declaration::parameters() const {
  std::vector<Parameter*> all;
  for (const Slot& slot : slots)
    if (slot.parameter != nullptr) all.push_back(slot.parameter);
  return all;
}

std::vector<Parameter*> Declaration::first_parameters() const {
  std::vector<Parameter*> first;
  for (const Slot& slot : slots)
    if (slot.parameter != nullptr && slot.first) first.push_back(slot.parameter);
  return first;
}

NodeSetup::NodeSetup(const Node& node, std::vector<Shape> inputs, std::vector<bool> input_gradients,
                     const SetupContext& context)
    : node_(node),
      inputs_(std::move(inputs)),
      input_gradients_(std::move(input_gradients)),
      context_(context) {
  NodeTraits& traits = declaration_.traits;
  traits.differentiable.assign(inputs_.size(), true);
  traits.reads_input.assign(inputs_.size(), false);
  traits.gradient_may_overwrite.assign(inputs_.size(), false);
  const int given = spec().options.size("propagate_down");
  require(given == 0 || given == this->inputs(), "propagate_down is given ", given,
          " times for a layer with ", this->inputs(), " bottoms; give one a bottom, or none");
  const Options& options = spec().options;
  require(!options.has("phase") ||
              (options.choice("phase") == "TRAIN") == (context_.options.phase == Phase::kTrain),
          "phase is ", options.choice("phase"), " in a net of the other phase; leave it out, or ",
          "write include { phase: ", options.choice("phase"), " }");
  require(!options.has("blobs"), "has blobs {}; weights are read from weight files alone");
  const std::vector<double> propagates = spec().options.numbers("propagate_down");
  for (int i = 0; i < given; ++i)
    traits.differentiable[i] = propagates[i] != 0 || context_.force_backward;
}

Declaration NodeSetup::finish(const std::vector<Shape>& outputs) {
  require(known_inputs_ == inputs(), "has ", inputs(), inputs() == 1 ? " bottom" : " bottoms",
          ", but takes ", known_inputs_);
  const size_t made = outputs.size(), named = node_.outputs.size();
  require(made == named, "makes ", made, made == 1 ? " top" : " tops", ", but ", named,
          named == 1 ? " is named" : " are named");
  NodeTraits& traits = declaration_.traits;
  require_blobs_for_params();
  for (const Shape& shape : outputs) {
    require(is_sound(shape), "an output would be ", shape.str(), kSoundShapes);
    traits.output_counts.push_back(shape.count());
  }
  traits.reads_output = reads_output_;
  traits.reads_output.resize(made, false);
  traits.loss_weight = default_loss_weight_;
  traits.loss_weight.resize(made, 0);
  const std::vector<double> weights = spec().options.numbers("loss_weight");
  require(weights.empty() || weights.size() == made, "loss_weight is given ", weights.size(),
          " times for a layer with ", made, " tops; give one a top, or none");
  for (size_t i = 0; i < weights.size(); ++i)
    traits.loss_weight[i] = static_cast<float>(weights[i]);
  for (const Parameter* parameter : declaration_.parameters())
    traits.learns = traits.learns || (parameter->learns() && context_.parameters.training());
  return std::move(declaration_);
}

void NodeSetup::require_blobs_for_params() const {
  const auto check = [&](const LayerSpec& owner) {
    int blobs = 0;
    for (const auto& [name, count] : blob_counts_)
      if (name == owner.name) blobs = count;
    const int given = owner.options.size("param");
    orepa::require(given <= blobs, owner.where("param"), "param {} is given ", given,
                   " times for a layer with ", blobs, blobs == 1 ? " blob" : " blobs",
                   "; leave out what is too many");
  };
  check(spec());
  for (const LayerSpec& absorbed : node_.absorbed) check(absorbed);
}

const LayerSpec* NodeSetup::absorbed(const std::string& type) const {
  for (const LayerSpec& spec : node_.absorbed)
    if (spec.type == type) return &spec;
  return nullptr;
}

BatchRows NodeSetup::take_rows(int64_t batch_size) {
  const NetOptions& options = context_.options;
  BatchRows rows;
  rows.whole = options.batch_size > 0 ? options.batch_size : batch_size;
  const int64_t ranks = options.ranks == nullptr ? 1 : options.ranks->size(),
                rank = options.ranks == nullptr ? 0 : options.ranks->rank();
  rows.first = rows.whole * rank / ranks;
  rows.count = rows.whole * (rank + 1) / ranks - rows.first;
  require(rows.count > 0 || ranks == 1, "has batches of ", rows.whole, " for ", ranks,
          " processes, which leaves some without any; make batch_size larger");
  if (context_.rows->whole == 0) *context_.rows = rows;
  return rows;
}

const Shape* NodeSetup::shape_override(int output) const {
  const auto found = context_.options.inputs.find(options().strings("top").at(output));
  return found == context_.options.inputs.end() ? nullptr : &found->second;
}

LabelRange NodeSetup::labels(int input) const {
  if (context_.labels == nullptr) return {};
  const auto known = context_.labels->find(node_.inputs[checked(input)]);
  return known == context_.labels->end() ? LabelRange{} : known->second;
}

DType NodeSetup::takes_bfloat16() {
  if (!options().has("loss_weight")) declaration_.traits.type = context_.precision;
  return declaration_.traits.type;
}

int NodeSetup::checked(int input) const {
  require(input < inputs(), "has ", inputs(), inputs() == 1 ? " bottom" : " bottoms",
          ", but needs at least ", input + 1);
  known_inputs_ = std::max(known_inputs_, input + 1);
  return input;
}

Handle NodeSetup::parameter(const std::string& name, const Shape& shape, const Filler& filler,
                            const LayerSpec* owner) {
  return declare(owner == nullptr ? spec() : *owner, name, shape, filler, Parameter::Kind::kLearned,
                 false);
}

Handle NodeSetup::buffer(const std::string& name, const Shape& shape, const Filler& filler) {
  return declare(spec(), name, shape, filler, Parameter::Kind::kBuffer, false);
}

Handle NodeSetup::factor(const std::string& name, const Shape& shape, const Filler& filler) {
  return declare(spec(), name, shape, filler, Parameter::Kind::kLearned, true);
}

Handle NodeSetup::derived(const std::string& name, const Shape& shape) {
  return declare(spec(), name, shape, Filler::constant(0), Parameter::Kind::kDerived, false);
}

Handle NodeSetup::declare(const LayerSpec& owner, const std::string& name, const Shape& shape,
                          const Filler& filler, Parameter::Kind kind, bool factor) {
  require(is_sound(shape), "parameter \"", name, "\" would be ", shape.str(), kSoundShapes);
  Parameter wanted;
  bool permissive = false;
  wanted.layer = owner.name;
  wanted.name = name;
  wanted.kind = kind;
  wanted.factor = factor;
  wanted.filler = filler;
  if (kind == Parameter::Kind::kDerived) {
    // Its gradient is worth having where a factor made from it learns.
    wanted.index = -1;
    wanted.lr_mult = 0;
    for (const Parameter* other : declaration_.parameters())
      if (other->factor && other->learns()) wanted.lr_mult = 1;
  } else {
    auto count = std::find_if(blob_counts_.begin(), blob_counts_.end(),
                              [&](const auto& entry) { return entry.first == owner.name; });
    if (count == blob_counts_.end()) count = blob_counts_.insert(count, {owner.name, 0});
    wanted.index = count->second++;
    const std::vector<Options> specs = owner.options.messages("param");
    if (wanted.index < static_cast<int>(specs.size())) {
      const Options& spec = specs[wanted.index];
      wanted.shared_name = spec.string("name");
      permissive = spec.choice("share_mode") == "PERMISSIVE";
      if (kind == Parameter::Kind::kLearned) {
        wanted.lr_mult = static_cast<float>(spec.number("lr_mult"));
        wanted.decay_mult = static_cast<float>(spec.number("decay_mult"));
        if (const auto of = context_.multipliers.find(wanted.shared_name);
            of != context_.multipliers.end()) {
          wanted.lr_mult = of->second.lr_mult.value_or(wanted.lr_mult);
          wanted.decay_mult = of->second.decay_mult.value_or(wanted.decay_mult);
        }
      }
    }
  }
  if (kind == Parameter::Kind::kDerived) wanted.shared_name = shared_derived_name(wanted);
  declaration_.names.emplace_back(wanted.layer, wanted.name);
  Slot slot;
  slot.parameter = &context_.parameters.declare(std::move(wanted), shape, permissive);
  slot.shape = shape;
  slot.first = context_.declared->insert(slot.parameter).second;
  if (factor && slot.first && slot.parameter->learns() && context_.backward)
    slot.index = arena_memory(shape.bytes(), Stage::kFinish, Stage::kUpdate);
  return add(slot);
}

// A weight that is computed from factors is shared where all of them are: it has no name in files.
std::string NodeSetup::shared_derived_name(const Parameter& derived) const {
  std::string names;
  int named = 0, all = 0;
  bool shared = false;
  for (const Parameter* parameter : declaration_.parameters()) {
    if (!parameter->factor) continue;
    ++all;
    named += !parameter->shared_name.empty();
    shared = shared || parameter->layer != derived.layer;
    names += "/" + parameter->shared_name;
  }
  require(named == all || !shared, "shares ", named, " of the ", all, " blobs that make its ",
          derived.name, "; name all of them by param { name }, or none");
  return all > 0 && named == all ? derived.name + " of" + names : "";
}

Handle NodeSetup::packed(Handle parameter, int layout, int64_t bytes) {
  require_possible(bytes);
  const Parameter& packed = *declaration_.slots.at(parameter).parameter;
  Slot slot;
  slot.kind = Slot::Kind::kPacked;
  slot.copy = &context_.parameters.packed(packed, layout, bytes);
  return add(slot);
}

Handle NodeSetup::saved(int64_t bytes) {
  return add_memory(Slot::Kind::kArena, arena_memory(bytes, Stage::kForward, Stage::kBackward));
}

Handle NodeSetup::scratch(Stage stage, int64_t bytes) {
  return add_memory(Slot::Kind::kArena, arena_memory(bytes, stage, stage));
}

Handle NodeSetup::persistent(int64_t bytes) {
  require_possible(bytes);
  declaration_.persistent.push_back(bytes);
  return add_memory(Slot::Kind::kPersistent, static_cast<int>(declaration_.persistent.size()) - 1);
}

Handle NodeSetup::state(const std::string& name, const Shape& shape) {
  require(is_sound(shape), "state \"", name, "\" would be ", shape.str(), kSoundShapes);
  const Handle handle = persistent(shape.bytes());
  declaration_.states.push_back({declaration_.slots[handle].index, name, shape});
  return handle;
}

Handle NodeSetup::constant(const Shape& shape, std::function<std::vector<float>()> values) {
  require(is_sound(shape), "a constant would be ", shape.str(), kSoundShapes);
  const Handle handle = persistent(shape.bytes());
  declaration_.constants.push_back({declaration_.slots[handle].index, shape, std::move(values)});
  return handle;
}

int NodeSetup::arena_memory(int64_t bytes, Stage first, Stage last) {
  require_possible(bytes);
  declaration_.traits.memory.push_back({bytes, first, last});
  return static_cast<int>(declaration_.traits.memory.size()) - 1;
}

Handle NodeSetup::add_memory(Slot::Kind kind, int index) {
  Slot slot;
  slot.kind = kind;
  slot.index = index;
  return add(slot);
}

Handle NodeSetup::add(const Slot& slot) {
  declaration_.slots.push_back(slot);
  return static_cast<Handle>(declaration_.slots.size()) - 1;
}

void NodeSetup::backward_reads_output(int i) {
  if (static_cast<int>(reads_output_.size()) <= i) reads_output_.resize(i + 1, false);
  reads_output_[i] = true;
}

void NodeSetup::loss(int output, float default_weight) {
  if (static_cast<int>(default_loss_weight_.size()) <= output)
    default_loss_weight_.resize(output + 1, 0);
  default_loss_weight_[output] = default_weight;
}

}  // namespace orepa
