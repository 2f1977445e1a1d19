#include "orepa/params.h"

#include "core/pattern.h"
#include "orepa/error.h"

namespace orepa {
namespace {

const char* role(const Parameter& parameter) {
  if (parameter.kind == Parameter::Kind::kDerived) return "computed from branches (ORepaConv)";
  if (parameter.kind == Parameter::Kind::kBuffer) return "a running statistic";
  return parameter.factor ? "the weight of a branch (ORepaConv)" : "a learned weight";
}

// Whether a tensor of that shape lies in memory as its numbers follow each other in Caffe's files.
bool is_row_major(const Shape& shape) {
  return shape.rank() != 4 || shape[1] == 1 || shape[2] * shape[3] == 1;
}

void require_shareable(const Parameter& known, const Parameter& wanted, const Shape& shape,
                       bool permissive) {
  const Shape& there = known.value.shape;
  const auto refuse = [&](const auto&... why) {
    fail("layer \"", wanted.layer, "\": shares its \"", wanted.name, "\", ", shape.str(),
         ", as param \"", wanted.shared_name, "\" with \"", known.name, "\" of layer \"",
         known.layer, "\", which is ", why...);
  };
  if (known.kind != wanted.kind || known.factor != wanted.factor) refuse(role(known));
  if (known.factor && known.name != wanted.name) refuse("that of another branch");
  if (permissive && there.count() != shape.count()) refuse(there.str(), ", not as many numbers");
  if (!permissive && there != shape)
    refuse(there.str(), "; they have to be alike, or share_mode PERMISSIVE");
  if (there != shape && !(is_row_major(there) && is_row_major(shape)))
    refuse(there.str(), "; kernels larger than 1 x 1 are shared with those of their own shape");
}

}  // namespace

Parameters::Parameters(Device& device, uint64_t seed, bool training,
                       std::vector<ParameterRule> rules)
    : device_(device), seed_(seed), training_(training), rules_(std::move(rules)) {
  for (const ParameterRule& rule : rules_)
    patterns_.push_back(std::make_shared<const Pattern>("param_rule", rule.pattern));
}

Parameter& Parameters::declare(Parameter wanted, const Shape& shape, bool permissive) {
  if (const auto place = by_path_.find(wanted.path()); place != by_path_.end()) {
    const Shape& there = places_[place->second].shape;
    Parameter* known = places_[place->second].parameter;
    require(there == shape, "layer \"", wanted.layer, "\": parameter \"", wanted.name, "\" is ",
            there.str(), " in another net of this run, but ", shape.str(), " here");
    require(known->shared_name == wanted.shared_name, "layer \"", wanted.layer, "\": parameter \"",
            wanted.name, "\" has the name \"", known->shared_name,
            "\" in another net of this run, ", "but \"", wanted.shared_name, "\" here");
    require(known->kind == wanted.kind && known->factor == wanted.factor, "layer \"", wanted.layer,
            "\": parameter \"", wanted.name, "\" is ", role(*known),
            " in another net of this run, but ", role(wanted),
            " here; a layer of one name needs the same type in all of them");
    return *known;
  }
  const auto add_place = [&](Parameter& parameter) -> Parameter& {
    by_path_.emplace(wanted.path(), places_.size());
    places_.push_back({wanted.layer, wanted.name, wanted.index, shape, &parameter});
    return parameter;
  };
  if (const auto shared = by_shared_name_.find(wanted.shared_name);
      shared != by_shared_name_.end()) {
    require_shareable(*shared->second, wanted, shape, permissive);
    return add_place(*shared->second);
  }
  if (wanted.kind == Parameter::Kind::kLearned)
    for (size_t r = 0; r < rules_.size(); ++r) {
      if (!patterns_[r]->matches(wanted.path())) continue;
      const ParameterRule& rule = rules_[r];
      if (rule.sets_lr_mult) wanted.lr_mult = rule.lr_mult;
      if (rule.sets_decay_mult) wanted.decay_mult = rule.decay_mult;
    }
  wanted.value = {nullptr, shape};
  parameters_.push_back(std::make_unique<Parameter>(wanted));
  Parameter& added = *parameters_.back();
  if (!added.shared_name.empty()) by_shared_name_.emplace(added.shared_name, &added);
  return add_place(added);
}

PackedCopy& Parameters::packed(const Parameter& parameter, int layout, int64_t bytes) {
  PackedCopy& copy = packed_[{&parameter, layout}];
  copy.bytes = bytes;
  return copy;
}

void Parameters::allocate() {
  for (auto& [place, copy] : packed_)
    if (copy.memory.bytes() < copy.bytes) copy.memory = DeviceMemory(device_, copy.bytes);
  const auto has_gradient = [&](const Parameter& parameter) {
    return training_ && !parameter.factor && parameter.kind != Parameter::Kind::kBuffer &&
           parameter.lr_mult != 0;
  };
  int64_t values = 0, gradients = 0;
  for (size_t i = allocated_; i < parameters_.size(); ++i) {
    const int64_t bytes = aligned(parameters_[i]->value.bytes());
    values += bytes;
    if (has_gradient(*parameters_[i])) gradients += bytes;
  }
  blocks_.emplace_back(device_, values);
  char* value = static_cast<char*>(blocks_.back().data());
  blocks_.emplace_back(device_, gradients);
  char* gradient = static_cast<char*>(blocks_.back().data());
  device_.zero(gradient, gradients);

  std::vector<float> host;
  for (; allocated_ < parameters_.size(); ++allocated_) {
    Parameter& parameter = *parameters_[allocated_];
    const Shape& shape = parameter.value.shape;
    parameter.value.data = value;
    value += aligned(shape.bytes());
    if (has_gradient(parameter)) {
      parameter.gradient = {reinterpret_cast<float*>(gradient), shape};
      gradient += aligned(shape.bytes());
    }
    if (parameter.kind == Parameter::Kind::kDerived) continue;
    host.resize(static_cast<size_t>(shape.count()));
    parameter.filler.fill(shape, seed_, parameter.path(), host.data());
    write(parameter, host);
  }
}

Parameter* Parameters::find(const std::string& layer, const std::string& name) const {
  const auto found = by_path_.find(layer + "/" + name);
  return found == by_path_.end() ? nullptr : places_[found->second].parameter;
}

void Parameters::begin_step() {
  for (const auto& parameter : parameters_) parameter->gradient_written = false;
}

std::vector<float> Parameters::read(const Parameter& parameter) const {
  return read_tensor(device_, parameter.value);
}

void Parameters::write(Parameter& parameter, const std::vector<float>& values) {
  const Shape& shape = parameter.value.shape;
  require(static_cast<int64_t>(values.size()) == shape.count(), parameter.path(), " is ",
          shape.str(), ", but ", values.size(), " numbers were given");
  write_tensor(device_, parameter.value, values);
  touch();
}

int64_t Parameters::bytes() const {
  int64_t total = 0;
  for (const DeviceMemory& block : blocks_) total += block.bytes();
  for (const auto& [place, copy] : packed_) total += copy.memory.bytes();
  return total;
}

}  // namespace orepa
