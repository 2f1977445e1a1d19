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

}  // namespace

Parameters::Parameters(Device& device, uint64_t seed, bool training,
                       std::vector<ParameterRule> rules)
    : device_(device), seed_(seed), training_(training), rules_(std::move(rules)) {
  for (const ParameterRule& rule : rules_)
    patterns_.push_back(std::make_shared<const Pattern>("param_rule", rule.pattern));
}

Parameter& Parameters::declare(Parameter wanted, const Shape& shape) {
  if (Parameter* known = find(wanted.layer, wanted.name)) {
    require(known->value.shape == shape, "layer \"", wanted.layer, "\": parameter \"", wanted.name,
            "\" is ", known->value.shape.str(), " in another net of this run, but ", shape.str(),
            " here");
    require(known->kind == wanted.kind && known->factor == wanted.factor, "layer \"", wanted.layer,
            "\": parameter \"", wanted.name, "\" is ", role(*known),
            " in another net of this run, but ", role(wanted),
            " here; a layer of one name needs the same type in all of them");
    return *known;
  }
  if (wanted.kind == Parameter::Kind::kLearned)
    for (size_t r = 0; r < rules_.size(); ++r) {
      if (!patterns_[r]->matches(wanted.path())) continue;
      const ParameterRule& rule = rules_[r];
      if (rule.sets_lr_mult) wanted.lr_mult = rule.lr_mult;
      if (rule.sets_decay_mult) wanted.decay_mult = rule.decay_mult;
    }
  wanted.value = {nullptr, shape};
  parameters_.push_back(std::make_unique<Parameter>(std::move(wanted)));
  Parameter& added = *parameters_.back();
  by_path_.emplace(added.path(), &added);
  return added;
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
  return found == by_path_.end() ? nullptr : found->second;
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
