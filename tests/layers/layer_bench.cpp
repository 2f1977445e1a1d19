#include "tests/layers/layer_bench.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "orepa/numbers.h"

namespace orepa {
namespace {

constexpr int64_t kGuard = 64;                          // bytes on either side
constexpr unsigned char kSentinel = 0xa5, kNan = 0xff;  // four bytes 0xff are a NaN

LayerSpec layer_spec(const Options& options) {
  return {options.string("name"), options.string("type"), options};
}

std::vector<ParameterRule> rules(bool want_parameters) {
  if (want_parameters) return {};
  return {{".*", true, false, 0, 1}};
}

}  // namespace

class LayerBench::Guarded {
 public:
  Guarded(Device& device, int64_t bytes, DType type = DType::kFloat32)
      : device_(device), bytes_(bytes), type_(type), memory_(device, bytes + 2 * kGuard) {
    const std::vector<unsigned char> all(static_cast<size_t>(bytes + 2 * kGuard), kSentinel);
    send(memory_.data(), all.data(), bytes + 2 * kGuard);
    poison();
  }

  char* data() const { return static_cast<char*>(memory_.data()) + kGuard; }
  float* floats() const { return reinterpret_cast<float*>(data()); }
  Tensor tensor(const Shape& shape) const { return {data(), shape, type_}; }

  void poison() const {
    const std::vector<unsigned char> nan(static_cast<size_t>(bytes_), kNan);
    send(data(), nan.data(), bytes_);
  }
  void write(const Values& values) const {
    const std::vector<char> stored = this->stored(values);
    ASSERT_EQ(static_cast<int64_t>(stored.size()), bytes_);
    send(data(), stored.data(), bytes_);
  }
  Values read() const {
    std::vector<char> stored(static_cast<size_t>(bytes_));
    device_.copy_to_host(stored.data(), data(), bytes_);
    Values values(static_cast<size_t>(bytes_ / size_of(type_)));
    const Numbers numbers(Tensor{stored.data(), {}, type_});
    for (size_t i = 0; i < values.size(); ++i) values[i] = numbers[static_cast<int64_t>(i)];
    return values;
  }
  bool is_intact() const {
    std::vector<unsigned char> all(static_cast<size_t>(bytes_ + 2 * kGuard));
    device_.copy_to_host(all.data(), memory_.data(), bytes_ + 2 * kGuard);
    for (int64_t i = 0; i < kGuard; ++i)
      if (all[i] != kSentinel || all[kGuard + bytes_ + i] != kSentinel) return false;
    return true;
  }
  bool holds(const Values& values) const {
    std::vector<char> now(static_cast<size_t>(bytes_));
    device_.copy_to_host(now.data(), data(), bytes_);
    return now == stored(values);
  }

 private:
  void send(void* to, const void* host, int64_t bytes) const {
    device_.copy_to_device(to, host, bytes);
    device_.synchronize();
  }
  std::vector<char> stored(const Values& values) const {
    std::vector<char> stored(values.size() * static_cast<size_t>(size_of(type_)));
    const Numbers numbers(Tensor{stored.data(), {}, type_});
    for (size_t i = 0; i < values.size(); ++i) numbers.set(static_cast<int64_t>(i), values[i]);
    return stored;
  }
  Device& device_;
  int64_t bytes_;
  DType type_;
  DeviceMemory memory_;
};

class LayerBench::BenchPass : public Pass {
 public:
  explicit BenchPass(const LayerBench& bench, bool accumulates = false)
      : bench_(bench), accumulates_(accumulates) {}

  Device& device() const override { return bench_.device_; }
  Phase phase() const override { return bench_.options_.phase; }
  int64_t index() const override { return kPassIndex; }
  Random::Purpose random() const override { return {kSeed, "layer " + bench_.node_.spec.name}; }
  const uint64_t* step() const override {
    return static_cast<const uint64_t*>(bench_.step_.data());
  }
  Tensor input(int i) const override { return tensor(bench_.input_[i], bench_.input_shapes_[i]); }
  Tensor output(int i) const override {
    if (i == 0 && bench_.options_.overwritten_input >= 0)
      return tensor(bench_.input_[bench_.options_.overwritten_input], bench_.output_shapes_[0]);
    return tensor(bench_.output_[i], bench_.output_shapes_[i]);
  }
  Tensor input_gradient(int i) const override {
    if (bench_.options_.overwriting_gradient == i)
      return tensor(bench_.output_gradient_[0], bench_.input_shapes_[i]);
    return tensor(bench_.input_gradient_[i], bench_.input_shapes_[i]);
  }
  Tensor output_gradient(int i) const override {
    return tensor(bench_.output_gradient_[i], bench_.output_shapes_[i]);
  }
  Tensor parameter(Handle handle) const override { return slot(handle).parameter->value; }
  Tensor gradient(Handle handle) const override { return slot(handle).parameter->gradient; }
  bool accumulates(Handle) const override { return accumulates_; }
  bool is_current(Handle) const override { return false; }
  void* memory(Handle handle) const override { return bench_.memory_.at(handle)->data(); }

 private:
  static Tensor tensor(const std::unique_ptr<Guarded>& buffer, const Shape& shape) {
    return buffer == nullptr ? Tensor{nullptr, shape} : buffer->tensor(shape);
  }
  const Slot& slot(Handle handle) const { return bench_.declaration_.slots.at(handle); }

  const LayerBench& bench_;
  bool accumulates_;
};

LayerBench::LayerBench(Device& device, const std::string& text, const std::vector<Shape>& inputs,
                       const BenchOptions& options)
    : device_(device),
      options_(options),
      spec_(NetSpec::parse(text, "bench")),
      owner_(device, kSeed, true, rules(options.want_parameters)),
      input_shapes_(inputs),
      step_(device, sizeof kPassIndex) {
  HostMemory step(device, sizeof kPassIndex);
  std::memcpy(step.data(), &kPassIndex, sizeof kPassIndex);
  device.copy_to_device(step_.data(), step.data(), sizeof kPassIndex);
  device.synchronize();
  const std::vector<Options> layers = spec_.layers();
  node_.spec = layer_spec(layers.at(0));
  for (size_t l = 1; l < layers.size(); ++l) node_.absorbed.push_back(layer_spec(layers[l]));
  for (size_t i = 0; i < inputs.size(); ++i) node_.inputs.push_back(static_cast<int>(i));
  for (int o = 0; o < node_.spec.options.size("top"); ++o) node_.outputs.push_back(o);
  options_.want_inputs.resize(inputs.size(), true);

  NetOptions net;
  net.phase = options.phase;
  net.weights_change_every_pass = options.weights_change_every_pass;
  BatchRows rows;
  const SetupContext context{owner_, net, options.precision, true, nullptr, &rows};
  NodeSetup setup(node_, inputs, options_.want_inputs, context);
  layer_ = make_layer(node_.spec);
  output_shapes_ = layer_->setup(setup);
  declaration_ = setup.finish(output_shapes_);
  owner_.allocate();

  const DType type = traits().type;
  for (size_t i = 0; i < inputs.size(); ++i) {
    options_.want_inputs[i] = options_.want_inputs[i] && traits().differentiable[i];
    input_.push_back(std::make_unique<Guarded>(device, inputs[i].bytes(type), type));
    input_gradient_.emplace_back();
    if (options_.want_inputs[i] && options.overwriting_gradient != static_cast<int>(i))
      input_gradient_.back() = std::make_unique<Guarded>(device, inputs[i].bytes(type), type);
    inputs_.emplace_back(static_cast<size_t>(inputs[i].count()));
  }
  for (const Shape& shape : output_shapes_) {
    output_.push_back(std::make_unique<Guarded>(device, shape.bytes(type), type));
    output_gradient_.push_back(std::make_unique<Guarded>(device, shape.bytes(type), type));
  }
  for (const Slot& slot : declaration_.slots) {
    int64_t bytes = 0;
    if (slot.kind == Slot::Kind::kArena) bytes = traits().memory[slot.index].bytes;
    if (slot.kind == Slot::Kind::kPersistent) bytes = declaration_.persistent[slot.index];
    if (slot.kind == Slot::Kind::kPacked) bytes = slot.copy->bytes;
    memory_.push_back(std::make_unique<Guarded>(device, bytes));
    value_.emplace_back();
    gradient_.emplace_back();
    if (slot.parameter == nullptr) continue;
    Parameter& parameter = *slot.parameter;
    const Shape& shape = parameter.value.shape;
    if (parameter.kind != Parameter::Kind::kDerived) {
      stored_.push_back(&parameter);
      parameter_values_.push_back(Values(static_cast<size_t>(shape.count())));
      device.copy_to_host(parameter_values_.back().data(), parameter.value.data, shape.bytes());
    }
    value_.back() = std::make_unique<Guarded>(device, shape.bytes());
    parameter.value.data = value_.back()->floats();
    parameter.gradient = {};
    if (parameter.lr_mult == 0 || parameter.kind == Parameter::Kind::kBuffer) continue;
    gradient_.back() = std::make_unique<Guarded>(device, shape.bytes());
    if (!parameter.factor) parameter.gradient = {gradient_.back()->floats(), shape};
  }
}

LayerBench::~LayerBench() = default;

// What stays from pass to pass, as a new net has it.
void LayerBench::start_anew(const Slot& slot, const Guarded& memory) {
  device_.zero(memory.data(), declaration_.persistent[slot.index]);
  for (const Declaration::Constant& constant : declaration_.constants)
    if (constant.index == slot.index)
      write_tensor(device_, {memory.floats(), constant.shape}, constant.values());
}

std::vector<Values> LayerBench::forward() {
  for (size_t i = 0; i < input_.size(); ++i) input_[i]->write(inputs_[i]);
  for (size_t p = 0, s = 0; s < declaration_.slots.size(); ++s) {
    const Slot& slot = declaration_.slots[s];
    if (slot.kind == Slot::Kind::kParameter) {
      if (slot.parameter->kind == Parameter::Kind::kDerived)
        value_[s]->poison();
      else
        value_[s]->write(parameter_values_[p++]);
    } else if (slot.kind == Slot::Kind::kPersistent) {
      start_anew(slot, *memory_[s]);
    } else {
      memory_[s]->poison();
    }
  }
  for (const auto& output : output_) output->poison();
  BenchPass pass(*this);
  if (layer_->has_prepare()) {
    layer_->prepare(pass);
    check("prepare()");
    poison_scratch();
  }
  layer_->forward(pass);
  check("forward()");
  std::vector<Values> outputs;
  for (size_t o = 0; o < output_.size(); ++o) {
    const bool in_place = o == 0 && options_.overwritten_input >= 0;
    outputs.push_back((in_place ? input_[options_.overwritten_input] : output_[o])->read());
  }
  for (size_t i = 0; i < input_.size(); ++i)
    EXPECT_TRUE(static_cast<int>(i) == options_.overwritten_input || input_[i]->holds(inputs_[i]))
        << "forward() wrote to bottom " << i;
  return outputs;
}

LayerBench::Gradients LayerBench::backward(const std::vector<Values>& seeds, int passes) {
  const auto spoil = [](const std::vector<std::unique_ptr<Guarded>>& buffers,
                        const std::vector<bool>& reads, int spoiled, int reused) {
    for (int i = 0; i < static_cast<int>(buffers.size()); ++i)
      if (i == spoiled || (!reads[i] && i != reused)) buffers[i]->poison();
  };
  const bool in_place = options_.overwritten_input >= 0;
  spoil(input_, traits().reads_input, options_.spoiled_input, options_.overwritten_input);
  spoil(output_, traits().reads_output, options_.spoiled_output, in_place ? 0 : -1);
  for (const auto& gradient : gradient_)
    if (gradient != nullptr) gradient->poison();

  // A shared gradient is written as that of the first input, wanted or not.
  const bool shared = traits().inputs_share_gradient;
  const bool any = std::find(options_.want_inputs.begin(), options_.want_inputs.end(), true) !=
                   options_.want_inputs.end();
  if (shared && any && input_gradient_[0] == nullptr && options_.overwriting_gradient != 0)
    input_gradient_[0] =
        std::make_unique<Guarded>(device_, input_shapes_[0].bytes(traits().type), traits().type);

  for (int n = 0; n < passes; ++n) {
    for (size_t o = 0; o < output_.size(); ++o) output_gradient_[o]->write(seeds[o]);
    for (const auto& gradient : input_gradient_)
      if (gradient != nullptr) gradient->poison();
    poison_scratch();
    BenchPass pass(*this, n > 0);
    layer_->backward(pass);
    check("backward()");
    for (size_t o = 0; o < output_.size(); ++o)
      EXPECT_TRUE((o == 0 && options_.overwriting_gradient >= 0) ||
                  output_gradient_[o]->holds(seeds[o]))
          << "backward() wrote to the gradient of top " << o;
  }

  if (layer_->has_finish()) {
    for (size_t s = 0; s < declaration_.slots.size(); ++s) {
      Parameter* parameter = declaration_.slots[s].parameter;
      if (parameter != nullptr && parameter->factor && gradient_[s] != nullptr)
        parameter->gradient = {gradient_[s]->floats(), parameter->value.shape};
    }
    poison_scratch();
    BenchPass pass(*this);
    layer_->finish(pass);
    check("finish()");
    for (Parameter* parameter : stored_)
      if (parameter->factor) parameter->gradient = {};
  }

  Gradients gradients;
  for (size_t i = 0; i < input_.size(); ++i) {
    const bool over = options_.overwriting_gradient == (shared ? 0 : static_cast<int>(i));
    const size_t place = shared ? 0 : i;
    gradients.inputs.emplace_back();
    if (options_.want_inputs[i])
      gradients.inputs.back() = (over ? output_gradient_[0] : input_gradient_[place])->read();
  }
  for (size_t s = 0; s < declaration_.slots.size(); ++s) {
    const Parameter* parameter = declaration_.slots[s].parameter;
    if (parameter == nullptr || parameter->kind == Parameter::Kind::kDerived) continue;
    gradients.parameters.emplace_back();
    if (gradient_[s] != nullptr) gradients.parameters.back() = gradient_[s]->read();
  }
  return gradients;
}

Values LayerBench::read_parameter(int i) const {
  const Tensor& value = stored_[i]->value;
  Values values(static_cast<size_t>(value.count()));
  device_.copy_to_host(values.data(), value.data, value.bytes());
  return values;
}

void LayerBench::poison_scratch() {
  for (size_t s = 0; s < declaration_.slots.size(); ++s) {
    const Slot& slot = declaration_.slots[s];
    if (slot.kind == Slot::Kind::kArena && traits().memory[slot.index].is_scratch())
      memory_[s]->poison();
  }
}

void LayerBench::check(const std::string& when) {
  const auto intact = [&](const std::vector<std::unique_ptr<Guarded>>& buffers,
                          const std::string& what) {
    for (size_t i = 0; i < buffers.size(); ++i)
      EXPECT_TRUE(buffers[i] == nullptr || buffers[i]->is_intact())
          << when << " wrote beyond the ends of " << what << " " << i;
  };
  intact(input_, "bottom");
  intact(output_, "top");
  intact(input_gradient_, "the gradient of bottom");
  intact(output_gradient_, "the gradient of top");
  intact(memory_, "the memory of handle");
  intact(value_, "the parameter of handle");
  intact(gradient_, "the gradient of the parameter of handle");
  for (size_t p = 0, s = 0; s < declaration_.slots.size(); ++s) {
    const Parameter* parameter = declaration_.slots[s].parameter;
    if (parameter == nullptr || parameter->kind == Parameter::Kind::kDerived) continue;
    const bool may_change = parameter->kind == Parameter::Kind::kBuffer;
    EXPECT_TRUE(may_change || value_[s]->holds(parameter_values_[p]))
        << when << " wrote to parameter \"" << parameter->name << "\"";
    ++p;
  }
}

}  // namespace orepa
