// Device: memory, copies, gemm and plans of one piece of hardware; the only polymorphic boundary
// between the engine and vendor libraries. A Device is passed, never found in a global.
//
// Work is issued in the order of a queue and may run later (the CPU's device does everything at
// once): host memory of copy_to_device() and send_to_host() belongs to the device until
// copy_to_host() has returned, synchronize() was called, or an Event recorded behind it is done.
// One thread at a time may use a Device and what was made by it, and not always the same one.
//
// Plans choose the algorithm as a function of shape and instruction set alone (never of a timing,
// so the same machine gives the same bits) and tell the workspace they need, which the memory plan
// provides at every call. They keep nothing from call to call, so layers and nets share them: a
// device makes one of each geometry, and keeps the last thousand or so. Activations and their
// gradients (void*) have the type that the geometry says, all else is float32; both lie in the
// layout of tensor.h. A plan throws Error where the hardware lacks the operation; nothing falls
// back to another device or type.
#pragma once
#include <array>
#include <atomic>
#include <compare>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "orepa/error.h"
#include "orepa/tensor.h"

namespace orepa {

// What every buffer is aligned to, in bytes, and a size rounded up to it.
constexpr int64_t kAlignment = 256;
constexpr int64_t aligned(int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// AUTO lets a plan choose Winograd's minimal filtering (Lavin and Gray, CVPR 2016) where it is
// faster; DIRECT keeps it out, for the smaller rounding error.
enum class Algorithm { kAuto, kDirect };

using Pair = std::array<int64_t, 2>;  // along height, along width

struct ConvolutionGeometry {
  Shape input;   // N, C, H, W
  Shape kernel;  // O, C / groups, kh, kw
  Pair stride{1, 1}, pad{0, 0}, dilation{1, 1};
  int64_t groups = 1;
  bool bias = false;             // y += bias[o]
  bool relu = false;             // y = max(0, y), after the bias; only where !training
  bool training = true;          // whether the backward passes are wanted
  bool data_gradient = true;     // whether backward_data is wanted
  DType type = DType::kFloat32;  // of x, y and their gradients

  Shape output() const;  // extent = floor((in + 2 pad - dilation (k - 1) - 1) / stride) + 1
  bool operator==(const ConvolutionGeometry&) const = default;
  auto operator<=>(const ConvolutionGeometry&) const = default;
};

class ConvolutionPlan {
 public:
  enum Direction { kForward, kBackwardData };

  virtual ~ConvolutionPlan() = default;
  // Bytes of the kernel as this direction reads it; pack() fills them from a kernel (O, C/G, kh,
  // kw).
  virtual int64_t packed_bytes(Direction direction) const = 0;
  // What pack() makes of one kernel is the same for all plans of a device with this number.
  virtual int packed_layout(Direction direction) const = 0;
  virtual void pack(Direction direction, const float* kernel, void* packed) = 0;

  virtual int64_t forward_workspace() const = 0;  // bytes
  virtual int64_t backward_data_workspace() const = 0;
  virtual int64_t backward_kernel_workspace() const = 0;

  // bias is null where the geometry has none.
  virtual void forward(const void* x, const void* packed, const float* bias, void* y,
                       void* workspace) = 0;
  virtual void backward_data(const void* dy, const void* packed, void* dx, void* workspace) = 0;
  // dkernel = gradient, or dkernel += gradient where `accumulate`.
  virtual void backward_kernel(const void* x, const void* dy, float* dkernel, bool accumulate,
                               void* workspace) = 0;
  virtual std::string algorithm() const = 0;  // what was chosen: "winograd", "direct"
};

// y = (x - mean) / sqrt(variance + eps) * scale + shift, a channel at a time, then max(0, y) where
// relu. Channels are axis 1 of a shape of rank >= 2.
struct BatchNormGeometry {
  Shape shape;
  float eps = 1e-5f;
  bool relu = false;
  bool training = true;          // false: only normalize() is called
  DType type = DType::kFloat32;  // of x, y and their gradients
  bool operator==(const BatchNormGeometry&) const = default;
  auto operator<=>(const BatchNormGeometry&) const = default;
};

class BatchNormPlan {
 public:
  virtual ~BatchNormPlan() = default;
  // What forward() leaves for backward() besides x, mean and variance (which ReLU was open).
  virtual int64_t saved_bytes() const = 0;
  virtual int64_t forward_workspace() const = 0;  // of forward(), or of normalize() alone
  virtual int64_t backward_workspace() const = 0;
  // Normalises with the statistics of the batch and writes them: mean and biased variance, C each.
  virtual void forward(const void* x, const float* scale, const float* shift, void* y, float* mean,
                       float* variance, void* saved, void* workspace) = 0;
  // Normalises with given statistics.
  virtual void normalize(const void* x, const float* scale, const float* shift, const float* mean,
                         const float* variance, void* y, void* workspace) = 0;
  // dx may be dy. dscale and dshift are overwritten; both or neither may be null.
  virtual void backward(const void* x, const void* dy, const float* scale, const float* mean,
                        const float* variance, const void* saved, void* dx, float* dscale,
                        float* dshift, void* workspace) = 0;
};

struct PoolingGeometry {
  enum class Method { kMax, kAverage };
  Shape input;   // N, C, H, W
  Shape output;  // N, C, OH, OW: given, since ceil and floor round differently
  Method method = Method::kMax;
  Pair kernel{1, 1}, stride{1, 1}, pad{0, 0};
  bool training = true;
  DType type = DType::kFloat32;  // of x, y and their gradients
  bool operator==(const PoolingGeometry&) const = default;
  auto operator<=>(const PoolingGeometry&) const = default;
};

// MAX ignores padding and the first of equal values wins (row-major order). AVE divides by the
// window's area clipped to [-pad, in + pad): padding counts, what hangs over beyond it does not
// (Caffe's rule).
class PoolingPlan {
 public:
  virtual ~PoolingPlan() = default;
  virtual int64_t saved_bytes() const = 0;  // what forward() leaves for backward()
  virtual int64_t backward_workspace() const = 0;
  virtual void forward(const void* x, void* y, void* saved) = 0;
  virtual void backward(const void* dy, const void* saved, void* dx, void* workspace) = 0;
};

// C = alpha op(A) op(B) + beta C, row-major: op(A) is m x k, op(B) is k x n, C is m x n; lda, ldb,
// ldc are the distances between rows as stored. `batch` such products, whose matrices lie stride_a,
// stride_b and stride_c numbers apart, are one call.
struct Gemm {
  bool transpose_a = false, transpose_b = false;
  int64_t m = 0, n = 0, k = 0;
  float alpha = 1;
  const float* a = nullptr;
  int64_t lda = 0;
  const float* b = nullptr;
  int64_t ldb = 0;
  float beta = 0;
  float* c = nullptr;
  int64_t ldc = 0;
  int64_t batch = 1, stride_a = 0, stride_b = 0, stride_c = 0;
  bool operator==(const Gemm&) const = default;
};

// Kernels, gemm and plans run on the first. Copies from and to the host may go over the second,
// beside them.
enum class Queue { kCompute, kCopy };

// A mark between the calls that were issued to a queue.
class Event {
 public:
  virtual ~Event() = default;
  virtual void record(Queue queue = Queue::kCompute) = 0;
  // Whether what was issued before record() has finished; true before the first.
  virtual bool done() const = 0;
  virtual void wait() = 0;  // lets the host wait until then
};

class Device;

// A loop of parallel.h that a device may keep until it launches it together with others of its
// type.
struct CollectedLoop {
  // Launches `count` loops of this loop's type.
  void (*launch)(const Device& device, const void* const* loops, int64_t count);
  const void* loop;  // trivially copyable
  int64_t bytes;
};

class Device {
 public:
  virtual ~Device() = default;
  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // Whether parallel.h launches kernels; their stream is then stream().
  virtual bool is_cuda() const = 0;
  virtual void* stream() const { return nullptr; }
  // Before calls of CUDA for the stream: they work on what is the calling thread's current device.
  virtual void make_current() const {}
  // What results depend on besides the program: "cpu avx512_core_bf16, 2 threads". Stands in
  // snapshots.
  virtual std::string description() const = 0;
  // Whether plans take bfloat16: kSlow where the hardware lacks the instructions and a library
  // makes up for them.
  enum class Support { kNone, kSlow, kFull };
  virtual Support bfloat16() const = 0;

  // Aligned to kAlignment at least. Throws Error with the bytes asked for where there is no room.
  virtual void* allocate(int64_t bytes) = 0;
  virtual void release(void* memory) noexcept = 0;
  virtual void zero(void* memory, int64_t bytes) = 0;
  virtual void copy(void* to, const void* from, int64_t bytes) = 0;  // both on the device
  virtual void copy_to_device(void* device, const void* host, int64_t bytes,
                              Queue queue = Queue::kCompute) = 0;
  virtual void copy_to_host(void* host, const void* device, int64_t bytes) = 0;  // waits
  // `host` is HostMemory, to be read once an Event behind this is done.
  virtual void send_to_host(void* host, const void* device, int64_t bytes) = 0;
  virtual void synchronize() = 0;

  virtual std::unique_ptr<Event> event() = 0;
  // What is issued to `queue` from now on starts when the event is done. The host goes on.
  virtual void wait(Queue queue, const Event& event) = 0;
  // Host memory that copies use without a detour (pinned, where the system knows such).
  virtual void* allocate_host(int64_t bytes) = 0;
  virtual void release_host(void* memory) noexcept = 0;

  virtual void gemm(const Gemm& gemm) = 0;
  virtual std::shared_ptr<ConvolutionPlan> convolution(const ConvolutionGeometry& geometry) = 0;
  virtual std::shared_ptr<BatchNormPlan> batch_norm(const BatchNormGeometry& geometry) = 0;
  virtual std::shared_ptr<PoolingPlan> pooling(const PoolingGeometry& geometry) = 0;

  // Calls task(i) for every i in [0, count). No task needs or touches what another one writes, and
  // a task issues loops of parallel.h, gemms, zero() and copy() of float32, and nothing else. Where
  // launches have their price, those of several tasks are made as one: loops of one functor, and
  // gemms of one geometry. Each task's own stay in their order.
  virtual void each_independent(int64_t count, const std::function<void(int64_t)>& task) {
    for (int64_t i = 0; i < count; ++i) task(i);
  }

  // Calls issue(), which issues loops, gemms, plans, zero() and copy() and nothing else, and keeps
  // what it issued, to be issued again at the price of one launch. Throws Error on a device that
  // cannot.
  class Recording {
   public:
    virtual ~Recording() = default;
  };
  virtual std::unique_ptr<Recording> record(const std::function<void()>& /*issue*/) {
    fail("work cannot be recorded on ", description());
  }
  // Issues the recording, with the values that its memory has then. issue() is called so that the
  // host notes what it notes on the way, but what it issues is left out: it must be what was
  // recorded. Throws Error where it is seen to be something else.
  virtual void replay(Recording&, const std::function<void()>&) {}
  // Whether issue() of one of these two runs: it may not depend on what was done before.
  virtual bool is_recording() const { return false; }

  // For parallel.h alone. Whether the device takes it upon itself to launch the loop.
  virtual bool collect(const CollectedLoop&) const { return false; }
  // For plans alone: whether a pass over these addresses is left out, since a recording has it.
  virtual bool leaves_out(std::initializer_list<const void*>) const { return false; }

  // Since the device was made: how often the host waited for it, and how many loops, gemms and
  // passes of vendors it was given.
  struct Counts {
    int64_t waits = 0, launches = 0;
  };
  Counts counts() const { return {waits_, launches_}; }
  void count_wait() const { waits_.fetch_add(1, std::memory_order_relaxed); }
  void count_launch() const { launches_.fetch_add(1, std::memory_order_relaxed); }

 private:
  mutable std::atomic<int64_t> waits_ = 0, launches_ = 0;
};

// How a device computes; the same for all that it computes.
struct DeviceOptions {
  Algorithm algorithm = Algorithm::kAuto;
  // Of a CUDA device: whether products of float32 may round their factors to TF32 (10 bits), and
  // bytes that one pass of a plan may take beside what it reads and writes.
  bool tf32 = false;
  int64_t workspace_limit = int64_t{256} << 20;
};

// The only way to a device. "cuda:0", "cuda:1", ...: cuDNN and cuBLAS, on an NVIDIA GPU, where the
// program was built with the CUDA Toolkit. "cpu": oneDNN, using OpenMP's threads. No signal handler
// may run on a thread that uses it or on OpenMP's, except on an alternate stack: in a gemm, oneDNN
// (dnnl_sgemm) has the stack pointer in a block of the heap, and the handler's frame would
// overwrite what lies below. How long OpenMP's threads spin while they wait is the program's to
// decide, by what is in its environment when it starts: docs/performance.md, "Beside other
// programs". Throws Error where there is no such device.
std::unique_ptr<Device> make_device(const std::string& name, const DeviceOptions& options = {});

// A tensor's numbers on the host, in Caffe's order (row-major at every rank), and back; of float32
// or widened to it. Both wait for the device.
std::vector<float> read_tensor(Device& device, const Tensor& tensor);
// REQUIRES: `values` holds tensor.count() numbers, and the tensor is of float32.
void write_tensor(Device& device, const Tensor& tensor, const std::vector<float>& values);

// Memory of a device with one owner; movable. Grows only by assignment of a new one.
class OwnedMemory {
 public:
  OwnedMemory() = default;
  OwnedMemory(OwnedMemory&& other) noexcept { *this = std::move(other); }
  OwnedMemory& operator=(OwnedMemory&& other) noexcept;
  ~OwnedMemory();

  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 protected:
  using Release = void (Device::*)(void*) noexcept;
  OwnedMemory(Device& device, void* data, int64_t bytes, Release release);

 private:
  Device* device_ = nullptr;
  void* data_ = nullptr;
  int64_t bytes_ = 0;
  Release release_ = nullptr;
};

class DeviceMemory : public OwnedMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(Device& device, int64_t bytes);
};

class HostMemory : public OwnedMemory {
 public:
  HostMemory() = default;
  HostMemory(Device& device, int64_t bytes);
};

}  // namespace orepa
