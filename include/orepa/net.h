// Net: a network compiled for one phase, one batch size and one device.
//
// NetSpec -> Graph (filtered by phase, single assignment) -> fused Graph -> Program (forward,
// backward and accumulate steps) -> memory plan (offsets in one arena). Shapes are fixed at
// construction; another batch size is another Net over the same Parameters. Nets that do not run at
// the same time share an Arena: running one overwrites the activations of the others, never their
// parameters.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "orepa/communicator.h"
#include "orepa/layer.h"
#include "orepa/model_io.h"
#include "orepa/params.h"

namespace orepa {

class Net;

// Memory that nets take turns in: it holds the blobs of the net that ran last. It grows when a net
// that needs more is built; no pointer into it may be kept across the construction of a net.
class Arena {
 public:
  explicit Arena(Device& device) : device_(device) {}
  // Throws Error where the device has no room.
  void reserve(int64_t bytes);
  char* data() const { return static_cast<char*>(memory_.data()); }
  int64_t bytes() const { return memory_.bytes(); }

 private:
  friend class Net;
  Device& device_;
  DeviceMemory memory_;
  const void* holder_ = nullptr;  // the net whose blobs are in it; null: none can be read
};

struct NetOptions {
  Phase phase = Phase::kTest;
  int level = 0;
  std::vector<std::string> stages;
  int64_t batch_size = 0;         // instead of the data layers' own; 0: theirs
  Communicator* ranks = nullptr;  // who share each batch; the net makes its rank's rows of it
  bool sync_statistics = false;   // whether BatchNorm normalises by those of all ranks' rows
  int64_t image_size = 0;  // the shorter side of the images of Data layers, instead of their own
  std::map<std::string, Shape> inputs;    // of Input layers' blobs, instead of their own shapes
  int64_t first_sample = 0;               // where a source of samples starts
  bool weights_change_every_pass = true;  // see Setup
  bool allocate = true;  // false: for shapes, counts and the memory plan; no pass can be run
  // For checking and debugging (orepa_tool run --backward):
  bool input_gradients = false;    // wants those of Input blobs and of blobs in `keep`
  bool seed_outputs = false;       // gradients of outputs that are no losses are given, not absent
  std::vector<std::string> keep;   // blobs to keep readable after a pass, besides outputs
  bool share_memory = true;        // false: every buffer has a place of its own in the arena
  std::optional<DType> precision;  // of activations, instead of what the prototxt says
};

// Bytes over memory.
struct Traffic {
  int64_t read = 0, written = 0;
};

struct LayerReport {
  std::string name, type, note;  // names of absorbed layers joined by " + "
  std::vector<Shape> outputs;
  int64_t parameters = 0;           // learned numbers in training
  int64_t merged_parameters = 0;    // the same after conversion: one kernel and bias a convolution
  int64_t macs = 0;                 // of one forward pass over the whole batch
  int64_t activation_bytes = 0;     // outputs and what is saved for the backward pass
  std::array<double, 5> seconds{};  // sums by Stage since profile(true)
  std::array<int64_t, 5> calls{};
  // The least that a pass moves: each blob, gradient and saved tensor once, kernels left out.
  Traffic forward, backward;
};

// What a step of a pass, or of an update, has made: mean absolute values. `name` is a blob's, in
// the stage kUpdate a parameter's.
struct Measure {
  Stage stage = Stage::kForward;
  std::string layer, name;         // names of layers that run as one joined by " + "
  std::optional<double> data;      // of kForward: the layer's top; of kUpdate: before the update
  std::optional<double> gradient;  // of kBackward: what the layer adds to its bottom's; of kUpdate
};

class Net {
 public:
  Net(const NetSpec& spec, Parameters& parameters, Arena& arena, NetOptions options);
  ~Net();
  Net(const Net&) = delete;
  Net& operator=(const Net&) = delete;

  // Before the first pass and after every change of parameters; does nothing where there was none.
  void prepare();
  // `index` is the number of this pass in the run: the position in the data and the key of random
  // numbers. Throws Error where parameters were changed after the last prepare().
  void forward(int64_t index);
  // forward() in two parts: what the host and the sources of data do, and what can be recorded
  // (Device::record).
  void load(int64_t index);
  void compute();
  // Throws Error where the arena does not hold this net's last forward pass any more.
  // Calls written(parameters) for those of one layer after another whose gradients it has written,
  // dW of derived weights but not their factors', where nothing will be added to them in this pass.
  using Written = std::function<void(const std::vector<Parameter*>&)>;
  void backward(const Written& written = {});
  // Calls update(parameters) for those of one layer after another that has learned ones, or of some
  // layers at a time, where the device has a price for launches (Device::each_independent); while
  // it runs, their gradients are complete, those of factors included, and they are dropped
  // afterwards.
  using Update = std::function<void(const std::vector<Parameter*>&)>;
  void finish(const Update& update);

  // From now on passes call this for every blob and every gradient of a blob as soon as it is made:
  // to find out where something goes wrong. The host waits for each of them. Empty: no more.
  using Watch = std::function<void(const Measure&)>;
  void watch(Watch watch);

  // Sum over losses of loss_weight times value, readable as long as outputs are. Waits for the
  // device.
  double loss() const;
  // The same, added to a number in device memory, without a wait.
  void add_loss(double* total) const;
  // Runs the last pass again and returns a description of the first non-finite output: `layer
  // "conv2" (Convolution), output "conv2"`, and the sample where it is a label that is no class;
  // empty if all are finite. All ranks must call it, and hear of the first layer that any of them
  // finds: `rank 1: layer ...` says which, to the others.
  std::string find_non_finite();

  struct Blob {
    std::string name;
    Shape shape;
  };
  const std::vector<Blob>& inputs() const;   // tops of Input layers
  const std::vector<Blob>& outputs() const;  // blobs nobody consumes, in order of the layers
  // Host values in Caffe's order. set() before forward(); seed_gradient() before backward().
  // Of an Input's blob, as many as its shape has; of a MemoryData's, any number of samples, as many
  // for its images as for its labels: pass by pass takes the next batch of them, the first one
  // again behind the last.
  void set(const std::string& blob, const std::vector<float>& values);
  void seed_gradient(const std::string& blob, const std::vector<float>& values);
  // Of an output or a kept blob, after forward() or backward() and until the arena is used for
  // something else: prepare(), finish(), another net's passes, the construction of a larger net.
  // Throws Error where the memory does not hold the blob (any more).
  std::vector<float> read(const std::string& blob) const;
  Shape shape(const std::string& blob) const;
  // Where NetOptions::input_gradients asked for it, or the file by force_backward (both: of kept
  // blobs, too) or by propagate_down: true; of a blob that layers write in place, the gradient
  // before them. After backward() and, as with read(), until the arena is used for something else.
  std::vector<float> read_gradient(const std::string& blob) const;
  double loss_weight(const std::string& blob) const;  // 0 where the blob is no loss

  // Whether layers of it write what they see into files (HDF5Output): that of all passes since the
  // last of these two calls. finish_files() gives them their names; it waits for the device, and
  // throws Error where a file cannot be written. drop_files() forgets what they have.
  bool writes_files() const;
  void finish_files();
  void drop_files();

  // What its layers hand from each pass to the next (Setup::state), in device memory: zeros in a
  // new net.
  struct State {
    std::string name;  // LAYER/NAME
    Tensor value;
  };
  const std::vector<State>& states() const;

  int64_t samples() const;  // of one walk over the data, as its source says; 0 without a source
  // What load() has spent in sources so far, layers without inputs: how long computing waited for
  // data.
  double source_seconds() const;
  int64_t image_size() const;  // the shorter side of the images of such a source; 0 without one
  int64_t batch_size() const;  // the first extent that a source or an Input layer gives
  // What of its batch that is; of 0 samples where no source knows of batches.
  BatchRows rows() const;

  DType precision() const;  // of activations
  // What the user should know about it: that this device is slow there. Empty where there is
  // nothing to say.
  std::string precision_note() const;
  // What its sources of samples found that the user should know of, since the last call.
  std::vector<std::string> take_notes();
  // Where blobs lie now. What was recorded of passes holds as long as it is the same.
  const void* arena_memory() const;
  int64_t arena_bytes() const;       // planned peak of activations, gradients and scratch
  int64_t persistent_bytes() const;  // constants and what layers keep, outside the arena
  void profile(bool on);             // synchronises around every call and sums LayerReport::seconds
  bool profiles() const;
  std::vector<LayerReport> report() const;

 private:
  struct Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace orepa
