// Parameters: every number that a model's files hold, and the values derived from them.
//
// One Parameters serves all nets of a run: a train net and its test nets declare the same names and
// find the same memory. It owns values and gradients (device memory, our layout); nets hold
// Parameter pointers, which stay valid as long as the Parameters lives. Not thread-safe.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "orepa/device.h"
#include "orepa/options.h"
#include "orepa/tensor.h"

namespace orepa {

class Pattern;  // src/core/pattern.h

// How a parameter's first values are drawn: Caffe's fillers, and "kaiming_uniform" with slope a,
// uniform in [-b, b],
// b = sqrt(6 / ((1 + a^2) fan_in)), fan_in = the product of the extents but the first.
struct Filler {
  std::string type = "constant";
  double value = 0, min = 0, max = 1, mean = 0, std = 1, slope = 0;
  int64_t sparse = -1;
  std::string variance_norm = "FAN_IN";
  std::string where;  // its place in a file, for errors; may be empty

  static Filler constant(double value);
  static Filler kaiming_uniform(double slope);
  // A FillerParameter; `fallback` where it is absent.
  static Filler from_message(const Options& filler_parameter);
  static Filler from(const Options& options, const std::string& field, const Filler& fallback);

  // Writes shape.count() host values in Caffe's order: a function of (seed, purpose) and the shape.
  // Throws Error where the type fills no such shape.
  void fill(const Shape& shape, uint64_t seed, const std::string& purpose, float* values) const;
};

struct Parameter {
  enum class Kind {
    kLearned,  // updated by the solver
    kBuffer,   // running statistics: in files, never in an update
    kDerived,  // computed from learned ones by prepare(): in no file; its gradient feeds finish()
  };
  std::string layer, name;  // "conv1", "weight"
  int index = 0;            // position among the layer's blobs in files; -1 for derived ones
  Kind kind = Kind::kLearned;
  Tensor value;
  // Null for buffers, for frozen parameters, in a run without training, and for factors of a
  // derived weight, whose gradient exists only while Net::finish() hands it out.
  Tensor gradient;
  bool gradient_written = false;  // whether this step's backward passes have written it yet
  bool factor = false;            // learned, with a gradient made by finish()
  int64_t version = -1;  // of a derived one: of the Parameters that it was computed from
  float lr_mult = 1, decay_mult = 1;
  Filler filler;
  std::string shared_name;  // `param { name }` of all layers that have it; empty where one does

  bool learns() const { return kind == Kind::kLearned && lr_mult != 0; }
  std::string path() const { return layer + "/" + name; }
};

// A parameter's values as plans of one layout read them (ConvolutionPlan::packed_layout), shared by
// the nets of a run.
struct PackedCopy {
  int64_t bytes = 0;
  DeviceMemory memory;
  int64_t version = -1;  // of the Parameters that it was made from; -1 before the first
};

// lr_mult and decay_mult for all parameters whose LAYER/NAME matches the regular expression fully
// (RE2's); the last matching rule that sets a multiplier wins, and any rule wins over `param
// {}` in the layer.
struct ParameterRule {
  std::string pattern;
  bool sets_lr_mult = false, sets_decay_mult = false;
  float lr_mult = 1, decay_mult = 1;
};

class Parameters {
 public:
  // `training`: whether gradients will be wanted. Throws Error on a rule that is no regular
  // expression.
  Parameters(Device& device, uint64_t seed, bool training, std::vector<ParameterRule> rules = {});
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;

  // Finds the parameter `wanted.layer`/`wanted.name` or adds it (shape, kind, filler, multipliers
  // before rules). Throws Error where it is there with another shape or role. Memory comes with
  // allocate(). Where another layer has declared one of that shared_name, it is that one;
  // `permissive`: its shape may be another of as many numbers (Caffe's share_mode).
  Parameter& declare(Parameter wanted, const Shape& shape, bool permissive = false);

  // Finds the copy of that layout or adds it. It stays where it is; memory comes with allocate().
  PackedCopy& packed(const Parameter& parameter, int layout, int64_t bytes);

  // Gives memory to everything declared since the last call: one block for values, one for
  // gradients; values are drawn by their fillers, gradients are zero.
  void allocate();

  // In order of declaration: layer by layer, blobs in their order in files.
  const std::vector<std::unique_ptr<Parameter>>& all() const { return parameters_; }
  // What each layer calls its own: one that is shared has several places, the first of them in the
  // layer that it is named after.
  struct Place {
    std::string layer, name;
    int index;
    Shape shape;
    Parameter* parameter;
    bool is_first() const { return parameter->layer == layer; }
    std::string path() const { return layer + "/" + name; }
  };
  const std::vector<Place>& places() const { return places_; }  // in order of declaration
  Parameter* find(const std::string& layer, const std::string& name) const;  // null if absent

  // Marks all gradients as unwritten: the first backward pass of a step overwrites.
  void begin_step();

  // Host copies in Caffe's order (OIHW), shape.count() numbers.
  std::vector<float> read(const Parameter& parameter) const;
  void write(Parameter& parameter, const std::vector<float>& values);

  // Counts the changes of values, so that nobody uses what was derived from older ones (W, packed
  // kernels). Whoever changes values in their memory calls touch(); write() and Net::finish() do.
  int64_t version() const { return version_; }
  void touch() { ++version_; }

  Device& device() const { return device_; }
  uint64_t seed() const { return seed_; }
  bool training() const { return training_; }
  int64_t bytes() const;  // of values, gradients and packed copies

 private:
  Device& device_;
  uint64_t seed_;
  bool training_;
  int64_t version_ = 0;
  std::vector<ParameterRule> rules_;
  std::vector<std::shared_ptr<const Pattern>> patterns_;  // of the rules
  std::vector<std::unique_ptr<Parameter>> parameters_;
  std::vector<Place> places_;
  std::unordered_map<std::string, size_t> by_path_;  // of places_
  std::unordered_map<std::string, Parameter*> by_shared_name_;
  std::map<std::pair<const Parameter*, int>, PackedCopy> packed_;  // by parameter and layout
  size_t allocated_ = 0;
  std::vector<DeviceMemory> blocks_;
};

}  // namespace orepa
