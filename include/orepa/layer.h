// Layer: one kind of operation, in one file for all devices.
//
// A layer's setup() declares, once, everything that the engine must know: output shapes,
// parameters, memory and what its backward pass reads. From then on shapes are fixed, and the
// engine calls forward() and backward() with a Pass that holds the memory. A layer keeps plans and
// Handles, never tensors.
//
// Gradients: backward() overwrites input gradients, and adds to parameter gradients or overwrites
// them as Pass::accumulates() says. Sums where a blob has several readers are the engine's
// business.
//
// To add a layer: write src/layers/NAME.cpp with a class and OREPA_LAYER(Type, "one line of help"),
// and a row in tests/layers/; one that maps every number by itself needs little more than its
// formula (src/layers/elementwise.h). What its message says stands in docs/prototxt.md.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "orepa/communicator.h"
#include "orepa/device.h"
#include "orepa/error.h"
#include "orepa/options.h"
#include "orepa/params.h"
#include "orepa/random.h"
#include "orepa/roles.h"
#include "orepa/tensor.h"

namespace orepa {

enum class Phase { kTrain, kTest };

// A layer as the prototxt states it.
struct LayerSpec {
  std::string name, type;
  Options options;  // the whole LayerParameter: options.message("convolution_param")

  // `net.prototxt:39:5: layer "conv2" (Convolution): `, at the field where one is named.
  std::string where(const std::string& field = "") const;
};

// kUpdate is the solver's: no layer has a call for it.
enum class Stage { kForward, kBackward, kPrepare, kFinish, kUpdate };

// Between which labels all those of a source lie; empty where it does not know.
struct LabelRange {
  int64_t least = 0, most = -1;
  bool known() const { return least <= most; }
};

// Of a batch of `whole` samples, those that a net has: all, or where several processes share the
// batch those of one of them.
struct BatchRows {
  int64_t first = 0, count = 0, whole = 0;
};

using Handle = int;  // names a piece of memory declared in setup()

// What a layer may ask and must declare while it is set up. See src/engine/setup.h for the
// engine's side.
class Setup {
 public:
  virtual ~Setup() = default;

  virtual const LayerSpec& spec() const = 0;
  const Options& options() const { return spec().options; }
  virtual Phase phase() const = 0;
  virtual Device& device() = 0;
  virtual uint64_t seed() const = 0;

  // A later layer that fusion merged into this one, or null: a BatchNorm may have absorbed "Scale"
  // and "ReLU", a convolution or Eltwise "ReLU". The layer then computes both; parameters of the
  // absorbed layer are declared with its spec as owner.
  virtual const LayerSpec* absorbed(const std::string& type) const = 0;

  virtual int inputs() const = 0;
  virtual const Shape& input(int i) const = 0;
  virtual LabelRange labels(int input) const = 0;
  virtual int outputs() const = 0;
  // Whether anybody wants the gradient of input i, as far as is known before the passes are
  // planned.
  virtual bool input_gradient(int i) const = 0;
  // The type of the layer's bottoms, tops and their gradients: bfloat16 where the net has that
  // precision and the layer asks here, so says that it takes both. Without this call, and in a
  // layer with a loss_weight, they are float32; the engine casts between layers.
  virtual DType takes_bfloat16() = 0;
  // Whether backward passes will be run. Independent of phase(): a TEST net may be differentiated.
  virtual bool backward() const = 0;
  // Whether weights change before every forward pass, so that packed ones are not worth keeping.
  virtual bool weights_change_every_pass() const = 0;
  // For a source of samples: the rows that it makes of a batch for which the prototxt says this
  // size; the caller of the net may want another one.
  virtual BatchRows take_rows(int64_t batch_size) = 0;
  // What the first source was told; of 0 samples where none has asked yet.
  virtual BatchRows rows() const = 0;
  // Who have the other rows; null where there are none. What a pass tells them, every rank's pass
  // must tell.
  virtual Communicator* ranks() const = 0;
  // Whether statistics of a batch are to be those of all its rows.
  virtual bool sync_statistics() const = 0;
  // The shorter side that the images of a source shall have instead of their own; 0: their own. By
  // this call a layer says that it heeds it, and makes images N x C x H x W in top 0.
  virtual int64_t takes_image_size() = 0;
  // Of an Input's top: its shape where the caller asks for another one; else null.
  virtual const Shape* shape_override(int output) const = 0;
  // Its first sample: pass number p reads from sample first_sample() + p * batch size on.
  virtual int64_t first_sample() const = 0;

  // Parameters, in their order in files. Learned ones take lr_mult and decay_mult from the owner's
  // `param {}` entries.
  virtual Handle parameter(const std::string& name, const Shape& shape, const Filler& filler,
                           const LayerSpec* owner = nullptr) = 0;
  virtual Handle buffer(const std::string& name, const Shape& shape, const Filler& filler) = 0;
  // A factor of a derived weight: a parameter whose gradient is made by finish(), not by
  // backward().
  virtual Handle factor(const std::string& name, const Shape& shape, const Filler& filler) = 0;
  // Not in files: made by prepare(); its gradient is accumulated by backward() and read by
  // finish().
  virtual Handle derived(const std::string& name, const Shape& shape) = 0;

  // A parameter or derived value as a plan reads it: prepare() packs it where it is not current.
  // All nets over the same Parameters share the copy of one layout.
  virtual Handle packed(Handle parameter, int layout, int64_t bytes) = 0;

  virtual Handle saved(int64_t bytes) = 0;                 // from forward() to its backward()
  virtual Handle scratch(Stage stage, int64_t bytes) = 0;  // within one call of that stage
  virtual Handle persistent(int64_t bytes) = 0;            // as long as the net; starts as zero
  // Numbers that each pass hands to the next: persistent, of the net alone, and in snapshots by
  // this name.
  virtual Handle state(const std::string& name, const Shape& shape) = 0;
  // Numbers that never change, stored as a tensor of that shape. values() gives them in Caffe's
  // order; it is called once, when the net gets its memory.
  virtual Handle constant(const Shape& shape, std::function<std::vector<float>()> values) = 0;

  virtual void backward_reads_input(int i) = 0;
  virtual void backward_reads_output(int i) = 0;
  // Of the same count; the engine sees to it that nobody reads the input afterwards.
  virtual void output_may_overwrite_input(int output, int input) = 0;
  // The gradient of input i may be written over that of output 0 (same count).
  virtual void input_gradient_may_overwrite(int input) = 0;
  // backward() writes input_gradient(0) alone, and it is the gradient of every input.
  virtual void inputs_share_gradient() = 0;
  virtual void no_input_gradient(int i) = 0;  // a label: nothing flows back
  // Output i is a term of the objective, with this loss_weight unless the prototxt sets one.
  virtual void loss(int output, float default_weight = 1) = 0;
  virtual void forward_only() = 0;  // no backward pass at all: sources, Accuracy
  // For a source: how many samples one walk over its data has.
  virtual void samples(int64_t count) = 0;
  virtual void labels(int output, const LabelRange& range) = 0;
  // Passes will ask for random() and step().
  virtual void draws_random() = 0;

  // Throws Error that starts with where this layer, or one field of its options, stands.
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    orepa::fail(spec().where(), parts...);
  }
  template <class... Parts>
  void require(bool condition, const Parts&... parts) const {
    if (!condition) fail(parts...);
  }
};

// The memory of one call. Tensors are null where they do not exist or nobody wants them.
class Pass {
 public:
  virtual ~Pass() = default;

  virtual Device& device() const = 0;
  virtual Phase phase() const = 0;
  // For a source: which forward pass of the run this is, from 0; iter_size passes make one solver
  // step. Other layers may be recorded in one pass for all (Device::record), so they find it on the
  // device.
  virtual int64_t index() const = 0;
  // Random numbers of this layer; those of this pass are random().at(*step()) on the device.
  virtual Random::Purpose random() const = 0;
  virtual const uint64_t* step() const = 0;  // index(), in device memory

  virtual Tensor input(int i) const = 0;
  virtual Tensor output(int i) const = 0;
  virtual Tensor input_gradient(int i) const = 0;
  virtual Tensor output_gradient(int i) const = 0;  // zero-filled where nothing flowed back

  virtual Tensor parameter(Handle handle) const = 0;  // also buffers, factors and derived values
  // Null where nobody wants it. In finish(): that of a factor, to be overwritten.
  virtual Tensor gradient(Handle handle) const = 0;
  // Whether gradient(handle) holds earlier passes' sum and must be added to; else it is
  // overwritten.
  virtual bool accumulates(Handle handle) const = 0;
  // Whether a packed copy, or a derived parameter, was made of the parameters as they are.
  virtual bool is_current(Handle handle) const = 0;
  // Saved, scratch of this stage, persistent, packed.
  virtual void* memory(Handle handle) const = 0;
  float* floats(Handle handle) const { return static_cast<float*>(memory(handle)); }
};

// A sample of a batch, and what is wrong with it.
struct BadRow {
  int64_t row = 0;
  std::string what;
};

class Layer {
 public:
  virtual ~Layer() = default;
  virtual std::vector<Shape> setup(Setup& setup) = 0;  // returns the shapes of the outputs
  virtual void forward(Pass& pass) = 0;
  virtual void backward(Pass&) {}
  // Once before the first pass after every update: derives weights from parameters, packs them.
  virtual void prepare(Pass&) {}
  // Once per solver step, after the last backward pass: gradients of derived weights to those of
  // factors.
  virtual void finish(Pass&) {}
  virtual bool has_prepare() const { return false; }
  virtual bool has_finish() const { return false; }
  virtual std::string note() const { return ""; }  // what `time` prints beside the row: "winograd"
  // Of a layer that reads labels: the first sample in the bottoms of the last forward pass whose
  // label makes the tops meaningless, which are then not finite.
  virtual std::optional<BadRow> bad_row(Pass&) const { return std::nullopt; }
  // Of a source: which sample of its data stands in a row of pass `index`.
  virtual std::optional<int64_t> sample(int64_t /*index*/, int64_t /*row*/) const {
    return std::nullopt;
  }
  // Of a source: what the user should know of, since the last call.
  virtual std::vector<std::string> take_notes() { return {}; }
  // Of a source whose samples the program gives: all those of a top, in Caffe's order, instead of
  // those that it had. Returns false where it is none.
  virtual bool set_samples(int /*top*/, const std::vector<float>& /*values*/) { return false; }
  // Of a layer that writes files: gives them their names, or forgets what they have so far
  // (Net::finish_files, Net::drop_files).
  virtual bool writes_files() const { return false; }
  virtual void finish_files() {}
  virtual void drop_files() {}
  // Multiply-accumulates of one forward pass; 0 where they are not worth counting.
  virtual int64_t macs() const { return 0; }
};

struct LayerType {
  std::string name, help;
  std::function<std::unique_ptr<Layer>()> make;
  LayerRoles roles;
};

// All registered types in alphabetical order.
const std::vector<LayerType>& layer_types();
// Those of the type; none where it is not registered.
const LayerRoles& layer_roles(const std::string& type);
// Throws Error that names the nearest known type.
std::unique_ptr<Layer> make_layer(const LayerSpec& spec);

class LayerRegistrar {
 public:
  LayerRegistrar(std::string name, std::string help, std::function<std::unique_ptr<Layer>()> make);
  // What else the type is; see roles.h.
  LayerRegistrar& linear(const LinearRole& role);
  LayerRegistrar& adds(std::vector<double> (*factors)(const LayerSpec&, size_t inputs));
  LayerRegistrar& onnx(void (*write)(const OnnxLayer&));
  LayerRegistrar& channels(int64_t (*count)(const LayerSpec&, const std::vector<int64_t>& inputs));
  LayerRegistrar& keeps_channels();  // every top has those of the first bottom

 private:
  LayerRoles& roles() const;
  std::string name_;
};

#define OREPA_LAYER(type, help)                                                    \
  static const ::orepa::LayerRegistrar registrar_##type = ::orepa::LayerRegistrar( \
      #type, help, []() -> std::unique_ptr<::orepa::Layer> { return std::make_unique<type>(); })

}  // namespace orepa
